-- Remove tasks from the dead-letter queue. ARGV[4] how old at least; then ids, or none for all, at most
-- 1000 in one call. What others wrote there has no record; the entry's own id names it.
-- Returns how many, and "1" if there may be more.
local function old(since) return since + tonumber(ARGV[4]) <= now end
local function purge(r)
  if not r or r.s ~= 'x' or not old(tonumber(r.t)) then return 0 end
  leave(r)
  call('HSET', key(r.id), 's', 'd', 't', int(now))
  if not r.p then forget(r.id) end
  return 1
end
local function purge_entry(found)
  local id = field(found[2], 'id') or id_in(field(found[2], 'data') or '')
  local r = id and load(id)
  if r and r.x == found[1] then return purge(r) end
  return old(tonumber(string.match(found[1], '^%d+')) * 1000) and call('XDEL', DEAD, found[1]) or 0
end
local n = 0
if #ARGV > 4 then
  for i = 5, #ARGV do
    local found = string.find(ARGV[i], '^%d+%-%d+$') and redis.pcall('XRANGE', DEAD, ARGV[i], ARGV[i])[1]
    n = n + (found and purge_entry(found) or purge(load(ARGV[i])))
  end
  return {n, ''}
end
for _, found in ipairs(call('XRANGE', DEAD, '-', '+', 'COUNT', 1000)) do
  if purge_entry(found) == 0 then return {n, ''} end
  n = n + 1
end
return {n, n == 1000 and '1' or ''}
