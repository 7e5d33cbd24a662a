-- move hands an item back to wait in another group with another body, if the
-- body still is what the caller saw.
-- ARGV: channel, id, token, group, the body that the caller saw, the new body; then named counters
-- result: 1, 2 if the body is another by now, or 0 if the lease is lost
local item, repeated = held(ARGV[2], ARGV[3])
if not item then return repeated and 1 or 0 end
if call('HGET', B, item.id) ~= ARGV[5] then return 2 end
leave(item)
call('HSET', B, item.id, ARGV[6])
item.group, item.again, item.order = ARGV[4], '', ''
enter(item)
save(item)
tally(7)
return reply(1)
