-- release hands an item back as if it had not been claimed.
-- ARGV: channel, id, token, delay; then named counters
-- result: 1, or 0 if the lease is lost
local item, repeated = held(ARGV[2], ARGV[3])
if not item then return repeated and 1 or 0 end
leave(item)
turn(item)
local delay = tonumber(ARGV[4])
if delay > 0 then
  item.state = 'y'
  call('ZADD', W, now + delay, item.id)
else
  enter(item)
end
save(item)
tally(5)
return reply(1)
