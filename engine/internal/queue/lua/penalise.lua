-- penalise keeps a group from being claimed from for a while. The time is kept
-- outside the ring too, which the group leaves whenever it has no turn.
-- ARGV: channel, group, duration
local group = ARGV[2]
local from = tonumber(call('HGET', Q, group) or 0)
local till = math.max(from, now + tonumber(ARGV[3]))
call('HSET', Q, group, string.format('%.0f', till))
if call('ZSCORE', G, group) then call('ZADD', G, till, group) end
return 1
