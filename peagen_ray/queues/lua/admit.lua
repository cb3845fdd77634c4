-- Take entries of other producers from the door. ARGV[4..]: for each entry, verdict, id, lane, kind, data;
-- verdict "task": data is its canonical JSON; "bad": data is the raw bytes, lane the reason, kind the
-- Result's JSON. An entry that is gone was taken by another; a known id is acknowledged away.
for i = 4, #ARGV, 6 do
  local entry, verdict, id, lane, kind, data = unpack(ARGV, i, i + 5)
  if call('XDEL', DOOR, entry) == 1 and not known(id) then
    if verdict == 'task' then
      call('HSET', key(id), 'l', lane, 'k', kind, 'a', '0', 's', 'w', 't', int(now), 'e',
        append_to_lane(lane, data), 'd', '0')
      queued({k = kind, l = lane})
      into_lane(lane)
    else
      local x = call('XADD', DEAD, '*', 'data', data, 'id', id, 'reason', lane, 'at', int(now))
      call('HSET', key(id), 'l', '', 'k', '', 'a', '0', 's', 'x', 't', int(now), 'x', x, 'why', lane)
      publish({id = id}, kind)
    end
  end
end
return 1
