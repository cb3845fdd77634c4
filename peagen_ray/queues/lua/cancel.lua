-- End a task that is not finished. ARGV[4] id.
local r = load(ARGV[4])
if not r or not LIVE[r.s] then return 0 end
count('cancelled', r.k)
local result = error_result(r, '"cancelled"', '"cancelled":true,')
finish(r, result)
call('HSET', key(r.id), 's', 'k')
expire()
return 1
