-- producers: note what a producer does, or look whether one is at work.
-- KEYS[1] the run, KEYS[2] its producers: last heartbeat in ms, 0 when done
-- ARGV[1] beat, done or look, ARGV[2] producer, ARGV[3] ms after which a silent
-- producer is lost
-- Returns how many producers are at work.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[1] == 'beat' and redis.call('HGET', KEYS[2], ARGV[2]) ~= '0' then
  redis.call('HSET', KEYS[2], ARGV[2], string.format('%d', now))
elseif ARGV[1] == 'done' then
  redis.call('HSET', KEYS[2], ARGV[2], '0')
end
local active = 0
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  local beat = tonumber(all[i + 1])
  if beat > 0 and now - beat > tonumber(ARGV[3]) then
    redis.call('HSET', KEYS[2], all[i], '0')
    redis.call('HSET', KEYS[1], 'lost', '1')
  elseif beat > 0 then
    active = active + 1
  end
end
return active
