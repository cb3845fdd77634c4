-- Take back lapsed claims, then popped tasks of which nothing was heard. ARGV[4] idle; [5] how many at most.
local taken, most = 0, tonumber(ARGV[5])
local function oldest(set, due)
  while true do
    local name = call('ZRANGEBYSCORE', set, '-inf', int(due), 'LIMIT', 0, 1)[1]
    local r = name and load(id_of(name))
    if not name then return nil end
    if r and r.s == 'c' and r.m == name then return r end
    call('ZREM', set, name)
  end
end
while taken < most do
  local r = oldest(LEASES, now) or oldest(POPPED, now - tonumber(ARGV[4]))
  if not r then break end
  vanished(r)
  taken = taken + 1
end
return taken
