-- Complete tasks, each in one step. ARGV[4]: the call; then for each id, token, Result,
-- lane, kind, data (or "" to leave them out), how many follow-ups, and of each id, lane, kind, data.
-- Returns for each 1, 0 if it was finished already, or -1 if the task is not known and its data is needed.
local said, going, i = {}, nobody(), 5
while i <= #ARGV do
  local id, token, result, lane, kind, data = unpack(ARGV, i, i + 5)
  local spawned, answer = tonumber(ARGV[i + 6]), 0
  local r = load(id)
  if not r and data ~= '' and admit(id, lane, kind, data) then r = load(id) end
  if not r and data == '' and not known(id) then
    answer = -1
  elseif r and LIVE[r.s] then
    for j = i + 7, i + 6 + 4 * spawned, 4 do admit(ARGV[j], ARGV[j + 1], ARGV[j + 2], ARGV[j + 3]) end
    count('acked', r.k)
    finish(r, result, this_call(), going)
    answer = 1
  elseif did_so_before(r) and r.s == 'd' then
    answer = 1
  else
    count('stale', kind ~= '' and kind or (r and r.k))
  end
  said[#said + 1] = answer
  i = i + 7 + 4 * spawned
end
let_go(going)
if call('XLEN', RESULTS) > policy.kept then expire() end
return said
