-- A run ended in error or skip. ARGV[4] the call; [5] id; [6] token; [7] kind; [8..]
-- the outcome. Returns what was done, or "" if the claim is no longer valid.
local r, other = held(ARGV[5], ARGV[6])
if r then return ended(r, outcome_from(8), this_call()) end
if did_so_before(other) and other.la then return other.la end
count('stale', ARGV[7])
return ''
