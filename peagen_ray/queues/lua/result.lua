-- The Result of a task. ARGV[4] id. Returns {1, Result}, {0, the last Result's entry} or {2} if it expired.
expire()
local id = ARGV[4]
local of = call('HMGET', key(id), 's', 'p')
if of[2] then
  local result = data_at(RESULTS, of[2])
  return result and {1, result} or {2}
end
if of[1] == 'x' or (not of[1] and call('ZSCORE', FORGOTTEN, id)) then return {2} end
return {0, last_id(RESULTS)}
