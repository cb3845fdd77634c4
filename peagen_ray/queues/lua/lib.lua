-- What scripts have in common: names, time, and the moves of one task between places. A script carries the
-- paragraphs that it uses; each defines what it is for, and has no empty line in it.
--
-- KEYS[1]   the door; every other key is derived from the prefix, so all lie in one slot if the prefix has
--           a hash tag
-- ARGV[1]   prefix of all keys
-- ARGV[2]   microseconds since the epoch, or "" for the server's clock
-- ARGV[3]   policy: max_retry patience retry_delay skip_delay longest_delay results_kept results_age idle
--           (times in microseconds)
--
-- Keys, each after the prefix:
--   tasks           stream, the door: every task that becomes ready enters here; field data, the Task
--   tasks.<lane>    stream, group peagen: tasks sorted by the tags that they require, joined by "+"
--   results         stream: terminal Results in the order of publication; field data
--   dead            stream: the dead-letter queue; field data, the Task with its dead_letter, or the raw
--                   bytes of what cannot be read, then with id, reason and at
--   task:<id>       hash, the record: s state, l lane, k kind, a runs, t since, e entry, d 1 in the door,
--                   m member in delayed or leases, o owner, f offered tags, n lease, b when the run began, u it has not,
--                   sk skips,
--                   ss skipped since, p entry of its Result, x entry in dead, why reason, hist runs,
--                   data the Task while no stream holds it, lt last call that ended a claim, la what came of it
--   lanes           sorted set: lanes that hold waiting tasks, by turn
--   waiting         hash: waiting tasks by lane
--   depth           hash: tasks that no worker has, by "kind lane"
--   delayed leases popped released    sorted sets of members by time; a member is "<number>:<id>"
--   holders         hash: claims by offered tags
--   unserved        hash: lane -> "since missing"
--   streams         hash: lane -> last entry that was delivered
--   consumers       sorted set: owners by when they lapse
--   counters        hash: "event:kind" -> times
--   forgotten       sorted set: ids whose Result expired, by number
--   numbers         hash: seq, own (entries of ours in the door), expired (last Result that expired)
--   nudges          stream: a delay began that waiting consumers may have to heed
--   call:<caller>   string: what a consumer's last claim was given, in case the reply was lost

local call = redis.call
local P, now = ARGV[1], tonumber(ARGV[2])
if not now then
  local time = call('TIME')
  now = time[1] * 1000000 + time[2]
end
local DOOR, RESULTS, DEAD = P .. 'tasks', P .. 'results', P .. 'dead'
local LANES, WAITING, DEPTH = P .. 'lanes', P .. 'waiting', P .. 'depth'
local DELAYED, LEASES, POPPED, RELEASED = P .. 'delayed', P .. 'leases', P .. 'popped', P .. 'released'
local HOLDERS, UNSERVED, STREAMS = P .. 'holders', P .. 'unserved', P .. 'streams'
local CONSUMERS, COUNTERS, FORGOTTEN = P .. 'consumers', P .. 'counters', P .. 'forgotten'
local NUMBERS, NUDGES = P .. 'numbers', P .. 'nudges'
local GROUP = 'peagen'

local policy
do
  local numbers = {}
  for number in string.gmatch(ARGV[3], '%S+') do numbers[#numbers + 1] = tonumber(number) end
  policy = {
    max_retry = numbers[1], patience = numbers[2], retry_delay = numbers[3], skip_delay = numbers[4],
    longest = numbers[5], kept = numbers[6], age = numbers[7], idle = numbers[8],
  }
end

-- Of a call that may be repeated: ARGV[4] is its name, after "1" if it is repeated, else after "0".
local function this_call() return string.sub(ARGV[4], 2) end
local function did_so_before(r)
  return r and string.sub(ARGV[4], 1, 1) == '1' and r.lt == this_call()
end

local function int(number) return string.format('%.0f', number) end
local function key(id) return P .. 'task:' .. id end
local function lane_key(lane) return P .. 'tasks.' .. lane end

-- Numbers that were never given before: the last of so many.
local function next_number(n) return call('HINCRBY', NUMBERS, 'seq', n or 1) end

-- A member of a sorted set; members of one time keep the order in which they were made.
local function member(id, number) return string.format('%016.0f:', number or next_number()) .. id end
local function id_of(name) return string.sub(name, 18) end

local function load(id)
  local flat = call('HGETALL', key(id))
  if #flat == 0 then return nil end
  local r = {id = id}
  for i = 1, #flat, 2 do r[flat[i]] = flat[i + 1] end
  return r
end

local function known(id)
  if call('EXISTS', key(id), FORGOTTEN) == 0 then return false end
  return call('EXISTS', key(id)) == 1 or call('ZSCORE', FORGOTTEN, id) ~= false
end

local LIVE = {w = true, l = true, c = true, r = true}

local function id_in(data) return string.match(data, '^{"kind":"[%l_]+","id":"(%x+)"') end
local function kind_in(data) return string.match(data, '^{"kind":"([%l_]+)"') end

local function field(fields, name)
  for i = 1, #fields, 2 do
    if fields[i] == name then return fields[i + 1] end
  end
end

local function count(event, kind)
  if kind and kind ~= '' then call('HINCRBY', COUNTERS, event .. ':' .. kind, 1) end
end

-- The Task's JSON with its runs as they are counted; it always ends with attempts, created_at, schema_v.
local function with_attempts(data, runs)
  local at = math.max(1, #data - 200)
  local tail, changed = string.gsub(
    string.sub(data, at), '("attempts":)%d+(,"created_at":"[^"]*","schema_v":%d+})$', '%1' .. runs .. '%2')
  if changed == 0 then return data end
  return string.sub(data, 1, at - 1) .. tail
end

local function iso(micros)
  local seconds = math.floor(micros / 1000000)
  local days = math.floor(seconds / 86400)
  local rest = seconds - days * 86400
  -- Days to a civil date: Howard Hinnant, "chrono-compatible low-level date algorithms".
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local day = doy - math.floor((153 * mp + 2) / 5) + 1
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%06dZ', year, month, day, math.floor(rest / 3600),
    math.floor(rest / 60) % 60, rest % 60, micros - seconds * 1000000)
end

-- Whether stream id a is later than b.
local function later_id(a, b)
  local am, as = string.match(a, '^(%d+)-(%d+)$')
  local bm, bs = string.match(b, '^(%d+)-(%d+)$')
  am, bm = tonumber(am), tonumber(bm)
  if am ~= bm then return am > bm end
  return tonumber(as) > tonumber(bs)
end

local function last_id(stream)
  local info = redis.pcall('XINFO', 'STREAM', stream)
  if info.err then return '0-0' end
  return field(info, 'last-generated-id')
end

-- ---- capability tags: the same rules as peagen_ray.task.missing_tags --------------------------------

local function alternatives(tag)
  local first = string.match(tag, '^[^/]*')
  local stem = string.gsub(first, '%d+$', '')
  local found = {first}
  for other in string.gmatch(string.sub(tag, #first + 1), '/([^/]*)') do
    found[#found + 1] = string.match(other, '^%d+$') and stem .. other or other
  end
  return found
end

local function offer_of(text)
  if text == '*' then return nil end
  local offer = {}
  for tag in string.gmatch(text, '[^+]+') do
    offer[tag] = true
    if string.find(tag, '/', 1, true) then
      for _, single in ipairs(alternatives(tag)) do offer[single] = true end
    end
  end
  return offer
end

-- The tags of a lane that an offer (nil: anything) lacks, in order.
local function lacks(lane, offer)
  local missing = {}
  if offer == nil then return missing end
  for tag in string.gmatch(lane, '[^+]+') do
    local served = offer[tag] or false
    if not served then
      for _, single in ipairs(alternatives(tag)) do served = served or offer[single] end
    end
    if not served then missing[#missing + 1] = tag end
  end
  return missing
end

-- ---- places ------------------------------------------------------------------------------------------

local function queued(r)
  call('HINCRBY', DEPTH, r.k .. ' ' .. r.l, 1)
end

local function unqueued(kind, lane, n)
  local name = kind .. ' ' .. lane
  call('HINCRBY', DEPTH, name, -n)
end

local function into_lane(lane)
  if call('HINCRBY', WAITING, lane, 1) == 1 then call('ZADD', LANES, next_number(), lane) end
end

local function out_of_lane(lane, n)
  if call('HINCRBY', WAITING, lane, -n) <= 0 then
    call('ZREM', LANES, lane)
    call('HDEL', UNSERVED, lane)
    return true
  end
end

local open = {}
local function append_to_lane(lane, data)
  if not open[lane] then
    open[lane] = true
    if call('HSETNX', STREAMS, lane, '0-0') == 1 then
      redis.pcall('XGROUP', 'CREATE', lane_key(lane), GROUP, '0', 'MKSTREAM')
    end
  end
  return call('XADD', lane_key(lane), '*', 'data', data)
end

local function ready(r, data)
  local entry = call('XADD', DOOR, '*', 'data', r.new and data or with_attempts(data, r.a))
  call('HINCRBY', NUMBERS, 'own', 1)
  local place = {'s', 'w', 't', int(now), 'e', entry, 'd', '1'}
  if r.new then
    for _, word in ipairs({'l', r.l, 'k', r.k, 'a', '0'}) do place[#place + 1] = word end
  end
  call('HSET', key(r.id), unpack(place))
  queued(r)
  into_lane(r.l)
end

local function later(r, data, delay)
  if delay <= 0 then return ready(r, data) end
  local name = member(r.id)
  call('ZADD', DELAYED, int(now + delay), name)
  call('HSET', key(r.id), 's', 'l', 't', int(now), 'm', name, 'data', data)
  call('XADD', NUDGES, 'MAXLEN', '~', '16', '*', 'due', int(now + delay))
  queued(r)
end

local function admit(id, lane, kind, data)
  if known(id) then return false end
  ready({id = id, l = lane, k = kind, a = 0, new = true}, data)
  return true
end

local function data_at(stream, entry)
  local found = call('XRANGE', stream, entry, entry)
  return found[1] and field(found[1][2], 'data') or nil
end

-- Let go of claimed tasks: entries by lane, members, members of popped ones, and claims by offered tags.
local function let_go(going)
  for lane, entries in pairs(going.entries) do
    redis.pcall('XACK', lane_key(lane), GROUP, unpack(entries))
    call('XDEL', lane_key(lane), unpack(entries))
  end
  if #going.members > 0 then call('ZREM', LEASES, unpack(going.members)) end
  if #going.popped > 0 then call('ZREM', POPPED, unpack(going.popped)) end
  for offered, n in pairs(going.holders) do
    if call('HINCRBY', HOLDERS, offered, -n) <= 0 then call('HDEL', HOLDERS, offered) end
  end
end

local function nobody() return {entries = {}, members = {}, popped = {}, holders = {}} end

local function goes(r, going)
  local entries = going.entries[r.l] or {}
  going.entries[r.l] = entries
  entries[#entries + 1] = r.e
  going.members[#going.members + 1] = r.m
  if r.f == '*' then going.popped[#going.popped + 1] = r.m end
  going.holders[r.f] = (going.holders[r.f] or 0) + 1
end

-- Take a task out of where it is; returns its JSON if that is wanted. going: gathers what let_go is to do
-- for many at once.
local function leave(r, want, going)
  local data, stream = r.data, nil
  if r.s == 'w' then
    stream = r.d == '1' and DOOR or lane_key(r.l)
    if want then data = data_at(stream, r.e) end
    if call('XDEL', stream, r.e) == 1 and r.d == '1' then call('HINCRBY', NUMBERS, 'own', -1) end
    unqueued(r.k, r.l, 1)
    out_of_lane(r.l, 1)
  elseif r.s == 'l' then
    call('ZREM', DELAYED, r.m)
    unqueued(r.k, r.l, 1)
    call('HDEL', key(r.id), 'data', 'm')
  elseif r.s == 'c' then
    stream = lane_key(r.l)
    if want then data = data_at(stream, r.e) end
    local gone = going or nobody()
    goes(r, gone)
    if not going then let_go(gone) end
    call('HDEL', key(r.id), 'o', 'f', 'n', 'b', 'u', 'm')
  elseif r.s == 'r' then
    call('ZREM', RELEASED, r.m)
    call('HDEL', key(r.id), 'data', 'm')
  elseif r.s == 'x' then
    if want then data = data_at(DEAD, r.x) end
    call('XDEL', DEAD, r.x)
    call('HDEL', key(r.id), 'x', 'why')
  end
  return data
end

local function held(id, token)
  local r = load(id)
  if r and r.s == 'c' and r.e == token then return r end
  return nil, r
end

-- The worker of a claimed task was heard of.
local function renew(r)
  local name = member(r.id)
  call('ZREM', LEASES, r.m)
  call('ZADD', LEASES, int(now + tonumber(r.n)), name)
  if r.f == '*' then
    call('ZREM', POPPED, r.m)
    call('ZADD', POPPED, int(now), name)
  end
  call('HSET', key(r.id), 'm', name)
  redis.pcall('XCLAIM', lane_key(r.l), GROUP, r.o, 0, r.e, 'JUSTID')
  call('ZADD', CONSUMERS, int(now + tonumber(r.n)), r.o)
end

-- ---- Results -----------------------------------------------------------------------------------------

local function forget(id)
  call('DEL', key(id))
  call('ZADD', FORGOTTEN, next_number(), id)
  local surplus = call('ZCARD', FORGOTTEN) - 10 * policy.kept
  if surplus > 0 then call('ZREMRANGEBYRANK', FORGOTTEN, 0, surplus - 1) end
end

local function task_id_in(result)
  local id = string.match(result, '^{"task_id":"([^"\\]*)"')
  if id then return id end
  local decoded, value = pcall(cjson.decode, result)
  return decoded and type(value) == 'table' and value.task_id or nil
end

local function expire()
  for _ = 1, 1000 do
    local many = call('XLEN', RESULTS) > policy.kept
    local first = call('XRANGE', RESULTS, '-', '+', 'COUNT', 1)[1]
    if not first then break end
    local at = tonumber(string.match(first[1], '^%d+')) * 1000
    if not many and at + policy.age > now then break end
    call('XDEL', RESULTS, first[1])
    call('HSET', NUMBERS, 'expired', first[1])
    local id = task_id_in(field(first[2], 'data') or '')
    local of = id and call('HMGET', key(id), 's', 'p')
    if of and of[2] == first[1] then
      if of[1] == 'x' then call('HDEL', key(id), 'p') else forget(id) end
    end
  end
  for _ = 1, 1000 do
    local first = call('ZRANGE', RELEASED, 0, 0, 'WITHSCORES')
    if not first[1] then break end
    if call('ZCARD', RELEASED) <= policy.kept and tonumber(first[2]) + policy.age > now then break end
    call('ZREM', RELEASED, first[1])
    call('DEL', key(id_of(first[1])))
  end
end

-- Returns the Result's entry, which the record must be told as p; expire() is to follow.
local function append_result(result)
  local ms = int(math.floor(now / 1000))
  local entry = redis.pcall('XADD', RESULTS, ms .. '-*', 'data', result)
  if type(entry) == 'table' then -- the clock stands behind the last entry
    ms = string.match(last_id(RESULTS), '^%d+')
    entry = call('XADD', RESULTS, ms .. '-*', 'data', result)
  end
  return entry
end

local function publish(r, result)
  call('HSET', key(r.id), 'p', append_result(result))
  expire()
end

-- The task has its Result; expire() is to follow. going: as of leave.
local function finish(r, result, by, going)
  leave(r, false, going)
  call('HSET', key(r.id), 's', 'd', 't', int(now), 'lt', by or '', 'p', append_result(result))
end

-- An error Result; message and members are JSON, members end with a comma if there are any.
local function error_result(r, message, members)
  return '{"task_id":' .. cjson.encode(r.id) .. ',"status":"error","data":{"msg":' .. message .. ',' .. members
    .. '"retryable":false},"created_at":"' .. iso(now) .. '","attempts":' .. math.max(1, tonumber(r.a)) .. '}'
end

-- To the dead-letter queue; the Result is published. outcome: as in ended below, or nil.
local function bury(r, reason, outcome)
  local data = leave(r, true)
  count('dead', r.k)
  local encoded = cjson.encode(reason)
  local letter = '{"reason":' .. encoded .. ',"died_at":"' .. iso(now) .. '","history":' .. (r.hist or '[]') .. '}'
  data = string.gsub(with_attempts(data or '{}', r.a), '}$', '')
  local entry = call('XADD', DEAD, '*', 'data',
    data .. (data == '{' and '' or ',') .. '"dead_letter":' .. letter .. '}')
  call('HDEL', key(r.id), 'e')
  call('HSET', key(r.id), 's', 'x', 't', int(now), 'x', entry, 'why', reason)
  local message = outcome and outcome.message ~= '' and outcome.message or encoded
  local members = (outcome and outcome.members or '') .. '"dead_letter":' .. encoded .. ','
  publish(r, error_result(r, message, members))
end

-- ---- the end of a run: the same decisions as peagen_ray.lifecycle.decide --------------------------------

local function doubled(delay, times, longest)
  return math.min(delay * 2 ^ math.min(times, 64), math.max(delay, longest))
end

local function again(r, delay, why)
  local runs = tonumber(r.a)
  if runs >= policy.max_retry then
    return 'dead', why .. string.format(' (run %d of %d)', runs, policy.max_retry)  -- %s ends at a zero byte
  end
  return 'retry', delay
end

local function decide(r, outcome)
  if not outcome then return again(r, 0, 'worker vanished') end
  if outcome.status == 'skip' then
    local skips, since = tonumber(r.sk or 0), tonumber(r.ss or now)
    if skips > 0 and now - since >= policy.patience then
      return 'dead', string.format('every worker skipped it for %.0f s: ', (now - since) / 1000000) .. outcome.reason
    end
    return 'back', doubled(policy.skip_delay, skips, policy.patience / 8)
  end
  if not outcome.retryable then return 'dead', outcome.reason end
  return again(r, doubled(policy.retry_delay, tonumber(r.a) - 1, policy.longest), outcome.reason)
end

local function note(r, ended, short)
  local runs = r.hist and cjson.decode(r.hist) or {}
  runs[#runs + 1] = {tonumber(r.a), r.o or '', r.b or int(now), int(now), ended, short}
  while #runs > 10 do table.remove(runs, 1) end
  r.hist = cjson.encode(runs)
  call('HSET', key(r.id), 'hist', r.hist)
end

-- The run of a claimed task begins, and counts, if it has not begun.
local function begin(r)
  if not r.u then return end
  r.a, r.u = call('HINCRBY', key(r.id), 'a', 1), nil
  call('HDEL', key(r.id), 'u')
end

local function back(r, delay)
  if not r.u then
    r.a = math.max(0, tonumber(r.a) - 1)
    call('HSET', key(r.id), 'a', r.a)
  end
  count('given back', r.k)
  local data = leave(r, true)
  later(r, data, delay)
end

-- What becomes of a claimed task. outcome: nil if its worker vanished, else status, retryable, reason (the
-- message), short (the same for the history), message (JSON of the handler's own, or ""), members (JSON of
-- what else its data holds). Returns what was done, and the delay or reason.
local function ended(r, outcome, by)
  begin(r)
  local action, detail = decide(r, outcome)
  note(r, outcome and outcome.status or 'vanished', outcome and outcome.short or '')
  if action == 'dead' then
    bury(r, detail, outcome)
  elseif action == 'back' then
    call('HSET', key(r.id), 'sk', tonumber(r.sk or 0) + 1, 'ss', r.ss or int(now))
    back(r, detail)
  else
    call('HDEL', key(r.id), 'sk', 'ss')
    count('retried', r.k)
    local data = leave(r, true)
    later(r, data, detail)
  end
  local said = type(detail) == 'number' and int(detail) or detail
  call('HSET', key(r.id), 'lt', by or '', 'la', action .. ' ' .. said)
  return action .. ' ' .. said
end

local function vanished(r)
  count('reclaimed', r.k)
  if r.u then
    ready(r, leave(r, true))
  else
    ended(r, nil)
  end
end

local function pending()
  local n = call('XLEN', DOOR) - tonumber(call('HGET', NUMBERS, 'own') or 0)
  for _, each in ipairs(call('HVALS', DEPTH)) do n = n + tonumber(each) end
  return n
end

-- ---- the door -----------------------------------------------------------------------------------------

-- Move what waits in the door to its lanes, in order, up to the first entry that is not ours; returns the
-- entries that are not, each with its fields, for a client to judge.
local function sort(bound)
  local foreign, moved = {}, {}
  local entries = call('XRANGE', DOOR, '-', '+', 'COUNT', bound)
  for _, found in ipairs(entries) do
    local entry, data = found[1], field(found[2], 'data')
    local id = data and #found[2] == 2 and id_in(data)
    local of = id and call('HMGET', key(id), 'e', 'l', 'd')
    if of and of[1] == entry and of[3] == '1' then
      if #foreign > 0 then break end
      moved[#moved + 1] = entry
      call('HSET', key(id), 'e', append_to_lane(of[2], data), 'd', '0')
    else
      foreign[#foreign + 1] = found
      if #foreign >= 100 then break end
    end
  end
  if #moved > 0 then
    call('XDEL', DOOR, unpack(moved))
    call('HINCRBY', NUMBERS, 'own', -#moved)
  end
  return foreign, #entries >= bound
end

-- What an outcome's seven arguments from the index say.
local function outcome_from(i)
  return {
    status = ARGV[i], retryable = ARGV[i + 1] == '1', reason = ARGV[i + 2], short = ARGV[i + 3],
    message = ARGV[i + 4], members = ARGV[i + 5],
  }
end
