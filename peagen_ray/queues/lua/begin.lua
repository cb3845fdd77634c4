-- The runs of claimed tasks begin. ARGV[4..]: for each id, token. Returns the time, and of each the runs that
-- are counted and its lease, or 0 and 0 if the claim is no longer valid.
local said = {int(now)}
for i = 4, #ARGV, 2 do
  local r = held(ARGV[i], ARGV[i + 1])
  if r then
    if r.u then call('HSET', key(r.id), 'b', int(now)) end
    begin(r)
    renew(r)
  end
  said[#said + 1] = r and tonumber(r.a) or 0
  said[#said + 1] = r and r.n or '0'
end
return said
