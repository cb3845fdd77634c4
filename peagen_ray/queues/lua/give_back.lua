-- Offer a claimed task to others. ARGV[4] the call; [5] id; [6] token; [7] kind; [8] delay.
local r, other = held(ARGV[5], ARGV[6])
if r then
  back(r, tonumber(ARGV[8]))
  call('HSET', key(r.id), 'lt', this_call())
  return 1
end
if did_so_before(other) then return 1 end
count('stale', ARGV[7])
return 0
