-- Acknowledge without a Result. ARGV[4] the call; [5] id; [6] token; [7] kind.
local r, other = held(ARGV[5], ARGV[6])
if r then
  count('acked', r.k)
  local data, name = leave(r, true), member(r.id)
  call('ZADD', RELEASED, int(now), name)
  call('HSET', key(r.id), 's', 'r', 't', int(now), 'm', name, 'data', data, 'lt', this_call())
  expire()
  return 1
end
if did_so_before(other) then return 1 end
count('stale', ARGV[7])
return 0
