-- Tasks that no worker has. ARGV[4] how many at most. Sorts the door, as far as one call goes.
-- Returns the tasks' JSON with their runs, entries of others, and "1" if more is to be sorted.
local foreign, more = sort(1000)
local most, found = tonumber(ARGV[4]), {}
local function add(data, id)
  found[#found + 1] = with_attempts(data, call('HGET', key(id), 'a') or 0)
end
for _, lane in ipairs(call('ZRANGE', LANES, 0, -1)) do
  local left = most - #found
  if left <= 0 then break end
  local after = call('HGET', STREAMS, lane) or '0-0'
  for _, entry in ipairs(call('XRANGE', lane_key(lane), '(' .. after, '+', 'COUNT', left)) do
    local data = field(entry[2], 'data')
    local id = data and id_in(data)
    if id then add(data, id) end
  end
end
if #found < most then
  for _, name in ipairs(call('ZRANGE', DELAYED, 0, most - #found - 1)) do
    local id = id_of(name)
    local data = call('HGET', key(id), 'data')
    if data then add(data, id) end
  end
end
return {found, foreign, more and '1' or ''}
