-- hold keeps a group from being claimed from until it is let go. Unlike a rest,
-- it has no end of its own; what is leased goes on.
-- ARGV: channel, group, '1' to hold it, '0' to let it go
-- result: 1 if that changed anything, else 0
local group = ARGV[2]
local mark = 'held:' .. group
if ARGV[3] == '1' then
  if call('HSETNX', C, mark, 1) == 0 then return 0 end
  incr('holds')
  call('ZREM', G, group)
  return 1
end
if call('HDEL', C, mark) == 0 then return 0 end
incr('holds', -1)
ring(group) -- whoever claims takes it out again if nothing of it waits
return reply(1)
