-- repair puts items back that their state says are somewhere where they are
-- not. Scripts leave no such items; a server that lost a key does.
-- ARGV: channel, ids
-- result: how many were put back
local repaired = 0
for i = 2, #ARGV do
  local item = fetch(ARGV[i])
  local id = ARGV[i]
  if item and item.state == 'l' and not call('ZSCORE', L, id) then
    call('ZADD', L, now, id)
    repaired = repaired + 1
  elseif item and item.state == 'y' and not call('ZSCORE', W, id) then
    call('ZADD', W, now, id)
    repaired = repaired + 1
  elseif item and item.state == 'w' then
    if call('ZADD', P, 0, item.group .. '|' .. item.order .. '|' .. id) == 1 then
      repaired = repaired + 1
    end
    ring(item.group)
  end
end
return reply(repaired)
