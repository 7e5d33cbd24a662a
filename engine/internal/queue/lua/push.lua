-- push adds items that are not known yet; known ones it leaves alone.
-- ARGV: channel, then id, group, body of each item
-- result: how many were added, or -1 if the queue is sealed: then none
if call('HEXISTS', C, 'sealed') == 1 then
  incr('refused', (#ARGV - 1) / 3)
  return -1
end
local added = 0
for i = 2, #ARGV, 3 do
  local id = ARGV[i]
  if call('HEXISTS', S, id) == 0 then
    local item = {id = id, group = ARGV[i + 1], attempts = 0, crashes = 0,
      order = '', token = '', again = ''}
    enter(item)
    save(item)
    call('HSET', B, id, ARGV[i + 2])
    added = added + 1
  end
end
if added > 0 then incr('enqueued', added) end
return reply(added)
