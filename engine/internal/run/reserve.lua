-- reserve: find the run that a producer works for, or make its own the one.
-- KEYS[1] current runs by policy, KEYS[2] the slot, KEYS[3] all runs
-- ARGV[1] policy, ARGV[2] id of the new run, ARGV[3] life of the slot in ms,
-- ARGV[4] start of the new run in ms
-- Returns the id of the run.
local id = redis.call('GET', KEYS[2])
if id then
  return id
end
id = redis.call('HGET', KEYS[1], ARGV[1])
if not id then
  id = ARGV[2]
  redis.call('HSET', KEYS[1], ARGV[1], id)
  redis.call('ZADD', KEYS[3], ARGV[4], id)
end
redis.call('SET', KEYS[2], id, 'PX', ARGV[3])
return id
