-- Remove tasks from the dead-letter queue. ARGV[4] how old at least; then ids, or none for all, at most
-- 1000 in one call. Returns how many, and "1" if there may be more.
local function purge(r)
  if not r or r.s ~= 'x' or tonumber(r.t) + tonumber(ARGV[4]) > now then return 0 end
  leave(r)
  call('HSET', key(r.id), 's', 'd', 't', int(now))
  if not r.p then forget(r.id) end
  return 1
end
local n = 0
if #ARGV > 4 then
  for i = 5, #ARGV do n = n + purge(load(ARGV[i])) end
  return {n, ''}
end
for _, entry in ipairs(call('XRANGE', DEAD, '-', '+', 'COUNT', 1000)) do
  local id = field(entry[2], 'id') or id_in(field(entry[2], 'data') or '')
  local r = id and load(id)
  local gone = r and r.x == entry[1] and purge(r) or 0
  if gone == 0 then return {n, ''} end
  n = n + gone
end
return {n, n == 1000 and '1' or ''}
