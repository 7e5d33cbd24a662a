-- reserve: take the next place in the row of requests.
-- KEYS[1] when the next request is due, in microseconds of the server's clock
-- ARGV[1] microseconds between two requests, ARGV[2] how far ahead of their
-- time requests may be
-- Returns how long to wait, in microseconds.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local due = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local next = due + ARGV[1]
redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', math.ceil((next - now) / 1000) + 1000)
return math.max(0, due - ARGV[2] - now)
