-- Claim tasks. ARGV[4] offered tags joined by "+", or "*" for any; [5] owner; [6] how many at most;
-- [7] lease; [8] caller; [9] the caller's number of this call; [10] "1" if it is repeated; [11] entries of
-- the door that are sorted at most; [12] "1" if the runs begin at once.
-- Returns the claims (each data, runs, entry), entries of the door that others wrote, "1" if more is to be
-- sorted, microseconds until there may be something to do or -1, the last nudge, and the time. The door is
-- empty if there is none of these.
local offered, owner, limit, lease = ARGV[4], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local memo = P .. 'call:' .. ARGV[8]

local function recalled()
  local given = call('GET', memo)
  local number, ids = string.match(given or '', '^(%S+) (.*)$')
  local found = {}
  if number ~= ARGV[9] then return found end
  for entry, id in string.gmatch(ids, '(%S+)=(%S+)') do
    local r = held(id, entry)
    if r then found[#found + 1] = {data_at(lane_key(r.l), entry), tonumber(r.a), entry} end
  end
  return found
end

local function take_back()
  for _ = 1, 10 do
    local lapsed = call('ZRANGEBYSCORE', LEASES, '-inf', int(now), 'LIMIT', 0, 100)
    for _, name in ipairs(lapsed) do
      local r = load(id_of(name))
      if r and r.s == 'c' and r.m == name then vanished(r) else call('ZREM', LEASES, name) end
    end
    if #lapsed < 100 then break end
  end
end

local function promote()
  for _ = 1, 10 do
    local due = call('ZRANGEBYSCORE', DELAYED, '-inf', int(now), 'LIMIT', 0, 100)
    for _, name in ipairs(due) do
      local r = load(id_of(name))
      if r and r.s == 'l' and r.m == name then ready(r, leave(r, true)) else call('ZREM', DELAYED, name) end
    end
    if #due < 100 then break end
  end
end

local function head(lane)
  local after = call('HGET', STREAMS, lane) or '0-0'
  local found = call('XRANGE', lane_key(lane), '(' .. after, '+', 'COUNT', 1)[1]
  local id = found and id_in(field(found[2], 'data') or '')
  local r = id and load(id)
  return r and r.e == found[1] and r or nil
end

local function overdue_at(lane)
  local since = string.match(call('HGET', UNSERVED, lane) or '', '^%d+')
  local r = since and head(lane)
  if not r then return nil end
  return math.max(tonumber(since), tonumber(r.t)) + policy.patience, r
end

-- Note which lanes nobody serves, and bury what waited there for too long; returns whether anything was.
local function meet(lanes, mine)
  local others, buried
  for _, lane in ipairs(lanes) do
    local fewest = lacks(lane, mine)
    if #fewest > 0 then
      others = others or call('HKEYS', HOLDERS)
      for _, text in ipairs(others) do
        local missing = lacks(lane, offer_of(text))
        if #missing < #fewest then fewest = missing end
      end
    end
    if #fewest == 0 then
      call('HDEL', UNSERVED, lane)
    else
      local since, missing = string.match(call('HGET', UNSERVED, lane) or '', '^(%d+) (.*)$')
      local n = since and select(2, string.gsub(missing, '[^+]+', '')) or math.huge
      if #fewest < n then missing = table.concat(fewest, '+') end
      call('HSET', UNSERVED, lane, (since or int(now)) .. ' ' .. missing)
      for _ = 1, 100 do
        local at, r = overdue_at(lane)
        if not at or at > now then break end
        local tags = string.gsub(missing, '+', ', ')
        bury(r, 'no worker offers ' .. tags)
        buried = true
      end
    end
  end
  return buried
end

local function claim_from(lane, quota, taken)
  local read = redis.pcall('XREADGROUP', 'GROUP', GROUP, owner, 'COUNT', quota, 'STREAMS', lane_key(lane), '>')
  if read and read.err then
    redis.pcall('XGROUP', 'CREATE', lane_key(lane), GROUP, call('HGET', STREAMS, lane) or '0', 'MKSTREAM')
    read = call('XREADGROUP', 'GROUP', GROUP, owner, 'COUNT', quota, 'STREAMS', lane_key(lane), '>')
  end
  if not read then return 0 end
  local kinds, leases, n, last = {}, {}, 0, nil
  local number = next_number(#read[1][2]) - #read[1][2]
  for _, found in ipairs(read[1][2]) do
    last = found[1]
    local data = found[2] and field(found[2], 'data')
    local id = data and id_in(data)
    local of = id and call('HMGET', key(id), 'e', 'a')
    if not of or of[1] ~= last then
      call('XACK', lane_key(lane), GROUP, last)
      call('XDEL', lane_key(lane), last)
    else
      number = number + 1
      local kind, name, runs = kind_in(data), member(id, number), tonumber(of[2])
      leases[#leases + 1] = int(now + lease)
      leases[#leases + 1] = name
      if offered == '*' then call('ZADD', POPPED, int(now), name) end
      local place = {'s', 'c', 't', int(now), 'o', owner, 'f', offered, 'n', int(lease), 'b', int(now), 'm', name}
      if ARGV[12] == '1' then
        runs = runs + 1
        place[#place + 1], place[#place + 2] = 'a', runs
      else
        place[#place + 1], place[#place + 2] = 'u', '1'
      end
      call('HSET', key(id), unpack(place))
      taken[#taken + 1] = {data, runs, last, id}
      kinds[kind] = (kinds[kind] or 0) + 1
      n = n + 1
    end
  end
  if #leases > 0 then call('ZADD', LEASES, unpack(leases)) end
  if last then call('HSET', STREAMS, lane, last) end
  for kind, each in pairs(kinds) do unqueued(kind, lane, each) end
  if n > 0 then call('HINCRBY', HOLDERS, offered, n) end
  return n
end

-- One of each lane in turn: how many of each, and the lanes in the order of their last turn.
local function quotas(lanes)
  local left, quota, turns, order = {}, {}, {}, {}
  local turn = lanes
  for _, lane in ipairs(lanes) do left[lane] = tonumber(call('HGET', WAITING, lane) or 0) end
  local n, step = 0, 0
  while n < limit and #turn > 0 do
    local coming = {}
    for _, lane in ipairs(turn) do
      if n >= limit then break end
      if left[lane] > 0 then
        if #lanes == 1 then step = math.min(limit, left[lane]) else step = 1 end
        quota[lane] = (quota[lane] or 0) + step
        left[lane] = left[lane] - step
        n = n + step
        turns[lane] = n
        if left[lane] > 0 then coming[#coming + 1] = lane end
      end
    end
    turn = coming
  end
  for lane in pairs(quota) do order[#order + 1] = lane end
  table.sort(order, function(a, b) return turns[a] < turns[b] end)
  return quota, order
end

local function take(lanes, mine)
  local servable, taken = {}, {}
  for _, lane in ipairs(lanes) do
    if #lacks(lane, mine) == 0 then servable[#servable + 1] = lane end
  end
  local quota, order = quotas(servable)
  for _, lane in ipairs(order) do
    local n = claim_from(lane, quota[lane], taken)
    if not (n > 0 and out_of_lane(lane, n)) and #lanes > 1 then call('ZADD', LANES, next_number(), lane) end
  end
  return taken
end

-- Owners of whom nothing was heard leave the groups, once nothing is theirs; lanes without a task go.
local function tidy()
  for _, name in ipairs(call('ZRANGEBYSCORE', CONSUMERS, '-inf', int(now), 'LIMIT', 0, 3)) do
    local holds = false
    for _, lane in ipairs(call('HKEYS', STREAMS)) do
      local stream = lane_key(lane)
      local theirs = redis.pcall('XPENDING', stream, GROUP, '-', '+', 1, name)
      if theirs.err then
        redis.pcall('XGROUP', 'CREATE', stream, GROUP, call('HGET', STREAMS, lane), 'MKSTREAM')
      elseif #theirs > 0 then
        holds = true
      else
        redis.pcall('XGROUP', 'DELCONSUMER', stream, GROUP, name)
        if call('XLEN', stream) == 0 then
          call('DEL', stream)
          call('HDEL', STREAMS, lane)
        end
      end
    end
    if holds then call('ZADD', CONSUMERS, int(now + 1000000), name) else call('ZREM', CONSUMERS, name) end
  end
end

local function until_due()
  local due = math.huge
  for _, set in ipairs({DELAYED, LEASES}) do
    local first = call('ZRANGE', set, 0, 0, 'WITHSCORES')
    if first[2] then due = math.min(due, tonumber(first[2])) end
  end
  for _, lane in ipairs(call('HKEYS', UNSERVED)) do
    due = math.min(due, overdue_at(lane) or math.huge)
  end
  if due == math.huge then return -1 end
  return math.max(0, due - now)
end

local taken, foreign, more, due, nudge = {}, {}, false, -1, '0-0'
if ARGV[10] == '1' then taken = recalled() end
if #taken == 0 then
  call('ZADD', CONSUMERS, int(now + math.max(lease, 1000000)), owner)
  if tonumber(ARGV[9]) % 16 == 0 then tidy() end
  take_back()
  promote()
  foreign, more = sort(tonumber(ARGV[11]))
  local lanes, mine = call('ZRANGE', LANES, 0, -1), offer_of(offered)
  if meet(lanes, mine) then lanes = call('ZRANGE', LANES, 0, -1) end
  if limit > 0 then taken = take(lanes, mine) end
end
if #taken > 0 then
  local given = {}
  for i, each in ipairs(taken) do
    if each[4] then given[#given + 1] = each[3] .. '=' .. each[4] end
    taken[i] = {each[1], each[2], each[3]}
  end
  if #given > 0 then call('SET', memo, ARGV[9] .. ' ' .. table.concat(given, ' '), 'EX', 300) end
elseif #foreign == 0 then
  tidy()
  expire()
  due, nudge = until_due(), last_id(NUDGES)
end
return {taken, foreign, more and '1' or '', int(due), nudge, int(now)}
