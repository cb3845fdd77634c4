-- A Result by task id. ARGV[4] id; [5] token, or "" if no claim is meant; [6] status; [7] the Result;
-- [8] its attempts; [9..] the outcome, unless it is ok. Returns whether anything changed.
local r, status = load(ARGV[4]), ARGV[6]
if not r then
  if known(ARGV[4]) then return 0 end
  if status == 'skip' or (status == 'error' and ARGV[10] == '1') then return 0 end
  call('HSET', key(ARGV[4]), 's', 'd', 't', int(now), 'k', '', 'l', '', 'a', '0')
  publish({id = ARGV[4]}, ARGV[7])
  return 1
end
local function stale()
  count('stale', r.k)
  return 0
end
if not LIVE[r.s] then return stale() end
if status == 'ok' then
  count('acked', r.k)
  finish(r, ARGV[7])
  expire()
elseif r.s == 'r' then
  local outcome = outcome_from(9)
  bury(r, outcome.reason, outcome)
elseif r.s ~= 'c' then
  return stale()
elseif ARGV[5] ~= '' and r.e ~= ARGV[5] then
  return stale()
elseif ARGV[5] == '' and not (r.f == '*' and tonumber(r.a) == tonumber(ARGV[8])) then
  return stale()
else
  ended(r, outcome_from(9))
end
return 1
