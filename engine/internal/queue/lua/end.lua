-- end ends an item: it is done, deferred to another run, or dead.
-- ARGV: channel, id, token, state: d, f or x; class, reason for x, else empty; then named counters
-- result: 1, or 0 if the lease is lost
local item, repeated = held(ARGV[2], ARGV[3])
if not item then return repeated and 1 or 0 end
leave(item)
if ARGV[4] == 'x' then note(item, ARGV[5], ARGV[6]) end
settle(item, ARGV[4])
save(item)
tally(7)
return reply(1)
