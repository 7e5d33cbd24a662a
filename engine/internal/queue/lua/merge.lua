-- merge replaces an item's body if it still is what the caller saw.
-- ARGV: channel, id, group, '1' if the caller saw a body else '0', that body, the new body
-- result: -1 sealed, 0 the body is another by now, 1 added, 2 replaced while
--   waiting or delayed, 3 replaced while leased, 4 reopened
if call('HEXISTS', C, 'sealed') == 1 then
  incr('refused')
  return -1
end
local id, group, seen, old, body = ARGV[2], ARGV[3], ARGV[4] == '1', ARGV[5], ARGV[6]
local item = fetch(id)
if seen ~= (item ~= nil) then return 0 end
if seen and call('HGET', B, id) ~= old then return 0 end
call('HSET', B, id, body)
local result = 2
if not item then
  item = {id = id, group = group, attempts = 0, crashes = 0, order = '', token = '', again = ''}
  incr('enqueued')
  enter(item)
  result = 1
elseif item.state == 'w' then
  if item.group ~= group then
    call('ZREM', P, item.group .. '|' .. item.order .. '|' .. id)
    item.group = group
    enter(item)
  end
elseif item.state == 'y' then
  item.group = group
elseif item.state == 'l' then
  item.again = group
  result = 3
else
  item.group = group
  reopen(item)
  result = 4
end
save(item)
return reply(result)
