-- Counts. Returns waiting ones, claimed, dead, depth, unserved, counters, and since when the longest waits.
local since = math.huge
for _, lane in ipairs(call('ZRANGE', LANES, 0, -1)) do
  local after = call('HGET', STREAMS, lane) or '0-0'
  local found = redis.pcall('XRANGE', lane_key(lane), '(' .. after, '+', 'COUNT', 1)
  local id = found[1] and id_in(field(found[1][2], 'data') or '')
  local at = id and call('HGET', key(id), 't')
  if at then since = math.min(since, tonumber(at)) end
end
local found = call('XRANGE', DOOR, '-', '+', 'COUNT', 1)[1]
local data = found and field(found[2], 'data')
local id = data and id_in(data)
local of = id and call('HMGET', key(id), 't', 'e') or {}
if found then
  local ms = tonumber(string.match(found[1], '^%d+')) * 1000
  since = math.min(since, of[2] == found[1] and tonumber(of[1]) or ms)
end
local due = call('ZRANGE', DELAYED, 0, 0, 'WITHSCORES')
if due[2] then since = math.min(since, tonumber(due[2])) end
local idle = since == math.huge and 0 or math.max(0, now - since)
return {int(pending()), call('ZCARD', LEASES), call('XLEN', DEAD), call('HGETALL', DEPTH),
  call('HGETALL', UNSERVED), call('HGETALL', COUNTERS), int(idle)}
