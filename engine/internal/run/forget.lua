-- forget: drop what leads to a run that is not there any more.
-- KEYS[1] current runs by policy, KEYS[2] the slot
-- ARGV[1] policy, ARGV[2] id of the run
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then
  redis.call('HDEL', KEYS[1], ARGV[1])
end
if redis.call('GET', KEYS[2]) == ARGV[2] then
  redis.call('DEL', KEYS[2])
end
return 1
