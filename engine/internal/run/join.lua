-- join: make a producer and its routes known to a run that is open.
-- KEYS[1] the run, KEYS[2] its producers, KEYS[3] the latest routes
-- ARGV[1] producer, then sources and their routes by turns
-- Returns the state of the run; only if that is open was anything done.
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'open' then
  return state or ''
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[2], ARGV[1], string.format('%d', now))
for i = 2, #ARGV, 2 do
  redis.call('HSET', KEYS[1], 'route:' .. ARGV[i], ARGV[i + 1])
  redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
end
return state
