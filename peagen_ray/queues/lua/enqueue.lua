-- Accept tasks, in order. ARGV[4]: bound on waiting tasks, or ""; then for each id, lane, kind, data.
-- Returns how many were accepted or known, and the waiting ones if the bound stopped it.
local bound, n = tonumber(ARGV[4]), 0
for i = 5, #ARGV, 4 do
  if bound and not known(ARGV[i]) then
    local waiting = pending()
    if waiting >= bound then return {n, waiting} end
  end
  admit(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3])
  n = n + 1
end
return {n, -1}
