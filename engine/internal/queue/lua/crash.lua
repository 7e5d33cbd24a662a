-- crash ends an attempt that would have killed its worker: it counts as reclaim
-- counts one that did.
-- ARGV: channel, id, token, delay, crashes, class, reason
-- result: 1, 2 if the item is dead, or 0 if the lease is lost
local item, repeated = held(ARGV[2], ARGV[3])
if not item then return repeated and 1 or 0 end
leave(item)
note(item, ARGV[6], ARGV[7])
item.crashes = item.crashes + 1
local result = 1
if item.crashes >= tonumber(ARGV[5]) then
  settle(item, 'x')
  if item.state == 'x' then result = 2 end
else
  turn(item)
  item.state, item.order = 'y', ''
  call('ZADD', W, now + tonumber(ARGV[4]), item.id)
  incr('retried')
end
save(item)
return reply(result)
