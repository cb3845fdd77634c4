-- Give dead tasks a new life. ARGV[4..]: for each id, lane, kind, data; data "" keeps what is there.
-- Returns for each 1, 0 if it is not dead, or the raw bytes of what could not be read.
local said = {}
for i = 4, #ARGV, 4 do
  local id, lane, kind, data = unpack(ARGV, i, i + 3)
  local r, answer = load(id), 0
  local found = r and r.s == 'x' and call('XRANGE', DEAD, r.x, r.x)[1]
  if found then
    local raw = field(found[2], 'reason') and field(found[2], 'data')
    if raw and data == '' then
      answer = raw
    else
      local kept = leave(r, true) or ''
      if r.p then call('XDEL', RESULTS, r.p) end
      call('HDEL', key(id), 'p', 'sk', 'ss', 'lt', 'la')
      r.a = 0
      if raw then
        r.l, r.k = lane, kind
        call('HSET', key(id), 'l', lane, 'k', kind)
      else
        local at
        for position in string.gmatch(kept, '(),"dead_letter":{"reason":') do at = position end
        data = at and string.sub(kept, 1, at - 1) .. '}' or kept
      end
      call('HSET', key(id), 'a', '0')
      ready(r, data)
      answer = 1
    end
  end
  said[#said + 1] = answer
end
return said
