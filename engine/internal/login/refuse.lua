-- refuse: a login was refused.
-- KEYS[1] the book of the run
-- ARGV[1] login id, ARGV[2] retry time in ms
-- Returns {kind, first refused at (ms), 1 if this call made it rejected}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known == 'rejected' then
  return {'rejected', 0, 0}
end
local since = known and string.match(known, '^refused:(%d+)$')
if not since then
  redis.call('HSET', KEYS[1], ARGV[1], 'refused:' .. string.format('%d', now))
  return {'refused', now, 0}
end
if now - tonumber(since) >= tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], ARGV[1], 'rejected')
  return {'rejected', 0, 1}
end
return {'refused', tonumber(since), 0}
