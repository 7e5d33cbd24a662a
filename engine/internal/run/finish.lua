-- finish: note how a run ended, and make room for the next of its policy.
-- KEYS[1] the run, KEYS[2] current runs by policy
-- ARGV[1] id, ARGV[2] policy, ARGV[3] outcome, ARGV[4] time in ms by the
-- engine's clock
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'state', 'finished', 'outcome', ARGV[3], 'finished', ARGV[4],
  'ended', string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000)))
if redis.call('HGET', KEYS[2], ARGV[2]) == ARGV[1] then
  redis.call('HDEL', KEYS[2], ARGV[2])
end
return 1
