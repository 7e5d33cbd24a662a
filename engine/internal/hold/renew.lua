-- renew: keep a hold, or take it again where it lapsed and nobody else did.
-- KEYS[1] the hold; ARGV[1] token, ARGV[2] life in ms
-- Returns 1, or 0 if somebody else has it.
local token = redis.call('GET', KEYS[1])
if token and token ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
