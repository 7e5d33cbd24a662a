-- replace: put a new value in the place of an old one, if it is still there.
-- KEYS[1] a hash
-- ARGV[1] its field, ARGV[2] the old value, ARGV[3] the new one
-- Returns 1 if it was replaced. The hash keeps its time to live.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
