-- Results after a cursor. ARGV[4] an entry's id, "^" for the start or "$" for the end; [5] how many at most.
-- Returns the Results, the cursor after them, and "1" if some expired unread. A cursor beyond the last entry
-- is of a log that was lost: everything that is there comes after it.
expire()
local cursor = ARGV[4]
local expired = call('HGET', NUMBERS, 'expired') or '0-0'
if cursor == '$' then return {{}, last_id(RESULTS), ''} end
if cursor == '^' then cursor = expired end
if later_id(expired, cursor) then return {{}, cursor, '1'} end
local entries = call('XRANGE', RESULTS, '(' .. cursor, '+', 'COUNT', ARGV[5])
if #entries == 0 and later_id(cursor, last_id(RESULTS)) then
  cursor = expired
  entries = call('XRANGE', RESULTS, '(' .. cursor, '+', 'COUNT', ARGV[5])
end
local found = {}
for _, entry in ipairs(entries) do
  cursor = entry[1]
  found[#found + 1] = field(entry[2], 'data') or ''
end
return {found, cursor, ''}
