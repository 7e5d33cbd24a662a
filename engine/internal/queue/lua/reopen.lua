-- reopen lets a dead item be tried again, or drops it. Of a queue that was
-- purged only the dead items are left, and those can only be dropped.
-- ARGV: channel, id, '1' to drop it else '0'
-- result: 1, 0 if the item is not dead, or -1 if the queue is sealed
local id = ARGV[2]
if not call('ZSCORE', X, id) then return 0 end
local item = fetch(id)
if ARGV[3] == '1' then
  call('ZREM', X, id)
  call('HDEL', R, id)
  call('HDEL', F, id)
  if item then
    incr('dead', -1)
    incr('dropped')
    item.state = 'r'
    save(item)
  end
  return 1
end
if not item or call('HEXISTS', C, 'sealed') == 1 then return -1 end
reopen(item)
save(item)
return reply(1)
