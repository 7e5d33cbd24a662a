-- probe: do what the engine's scripts do, and leave nothing behind.
-- KEYS[1] a hash, KEYS[2] a sorted set, KEYS[3] a string; none is there
-- ARGV[1] a channel
-- Returns, for each command that fails, its name and the error by turns.
local failed = {}

local function try(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    failed[#failed + 1] = (select(1, ...)):lower()
    failed[#failed + 1] = reply.err
  end
end

local hash, set, text = KEYS[1], KEYS[2], KEYS[3]
try('TIME')
try('HSET', hash, 'f', '1')
try('HGET', hash, 'f')
try('HMGET', hash, 'f')
try('HEXISTS', hash, 'f')
try('HINCRBY', hash, 'f', 1)
try('HGETALL', hash)
try('HDEL', hash, 'f')
try('ZADD', set, 1, 'm')
try('ZCARD', set)
try('ZCOUNT', set, 0, 1)
try('ZRANGE', set, 0, 0)
try('ZRANGEBYLEX', set, '-', '+', 'LIMIT', 0, 1)
try('ZRANGEBYSCORE', set, 0, 1)
try('ZSCORE', set, 'm')
try('ZREM', set, 'm')
try('SET', text, '1', 'PX', 1000)
try('GET', text)
try('DEL', hash, set, text)
try('PUBLISH', ARGV[1], '1')
return failed
