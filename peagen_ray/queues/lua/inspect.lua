-- All that is known of a task. ARGV[4] id. Returns its record, its JSON or "", its Result or "", when a
-- delay or lease ends or "", and "1" if only the id is remembered.
local r = load(ARGV[4])
if not r then
  return {{}, '', '', '', call('ZSCORE', FORGOTTEN, ARGV[4]) and '1' or ''}
end
local flat = {}
for name, value in pairs(r) do
  flat[#flat + 1] = name
  flat[#flat + 1] = value
end
local data, due = r.data or '', ''
if r.s == 'w' then data = data_at(r.d == '1' and DOOR or lane_key(r.l), r.e) or '' end
if r.s == 'c' then data = data_at(lane_key(r.l), r.e) or '' end
if r.s == 'x' then data = data_at(DEAD, r.x) or '' end
if data ~= '' and r.s ~= 'x' then data = with_attempts(data, r.a) end
if r.s == 'c' then due = call('ZSCORE', LEASES, r.m) or '' end
if r.s == 'l' then due = call('ZSCORE', DELAYED, r.m) or '' end
return {flat, data, r.p and data_at(RESULTS, r.p) or '', due, ''}
