-- About how many bytes each stream holds, by its name after the prefix; nothing of what the user may not ask.
local found = {}
local function weigh(name)
  local bytes = redis.pcall('MEMORY', 'USAGE', P .. name)
  if type(bytes) == 'number' then
    found[#found + 1] = name
    found[#found + 1] = int(bytes)
  end
end
weigh('tasks')
weigh('results')
weigh('dead')
for _, lane in ipairs(call('HKEYS', STREAMS)) do weigh('tasks.' .. lane) end
for _, lane in ipairs(call('ZRANGE', LANES, 0, -1)) do
  if call('HEXISTS', STREAMS, lane) == 0 then weigh('tasks.' .. lane) end
end
return found
