-- open: find the run that a producer is to work for, or make one and join it.
-- Invariant 15: the producer is known to its run from the first instant. A run that nobody
-- produces for would be over at once.
-- KEYS[1] current runs by policy, KEYS[2] the slot, KEYS[3] all runs,
-- KEYS[4] the new run, KEYS[5] its producers, KEYS[6] the latest routes
-- ARGV[1] policy, ARGV[2] id of the new run, ARGV[3] life of the slot in ms,
-- ARGV[4] life of the run in ms, ARGV[5] producer, ARGV[6] how many fields
-- follow; then fields and values of the run by turns, then sources and routes
-- Returns the id of the run.
local id = redis.call('GET', KEYS[2]) or redis.call('HGET', KEYS[1], ARGV[1])
if not id then
  id = ARGV[2]
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local fields = 6 + 2 * ARGV[6]
  for i = 7, fields, 2 do
    redis.call('HSET', KEYS[4], ARGV[i], ARGV[i + 1])
  end
  redis.call('HSET', KEYS[4], 'policy', ARGV[1], 'state', 'open',
    'opened', string.format('%d', now), 'deadline', string.format('%d', now + ARGV[4]))
  for i = fields + 1, #ARGV, 2 do
    redis.call('HSET', KEYS[4], 'route:' .. ARGV[i], ARGV[i + 1])
    redis.call('HSET', KEYS[6], ARGV[i], ARGV[i + 1])
  end
  redis.call('HSET', KEYS[5], ARGV[5], string.format('%d', now))
  redis.call('HSET', KEYS[1], ARGV[1], id)
  redis.call('ZADD', KEYS[3], now, id)
end
redis.call('SET', KEYS[2], id, 'PX', ARGV[3])
return id
