-- Renew leases. ARGV[4..]: for each id, token. Returns 1 or 0 for each.
local said = {}
for i = 4, #ARGV, 2 do
  local r = held(ARGV[i], ARGV[i + 1])
  if r then
    renew(r)
  end
  said[#said + 1] = r and 1 or 0
end
return said
