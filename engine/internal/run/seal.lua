-- seal: let nobody join a run any more. One that is finished stays so.
-- KEYS[1] the run
if redis.call('HGET', KEYS[1], 'state') == 'open' then
  redis.call('HSET', KEYS[1], 'state', 'sealed')
end
return 1
