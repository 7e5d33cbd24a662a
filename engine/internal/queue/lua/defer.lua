-- defer takes items out that wait or are delayed: this run does them no more.
-- ARGV: channel, limit
-- result: id, group, body of each
local limit, out = tonumber(ARGV[2]), {}
local function take(id)
  local item = fetch(id)
  if not item then return end
  settle(item, 'f')
  save(item)
  for _, v in ipairs({id, item.group, call('HGET', B, id) or ''}) do out[#out + 1] = v end
end
for _, member in ipairs(call('ZRANGE', P, 0, limit - 1)) do
  call('ZREM', P, member)
  take(string.match(member, '([^|]*)$'))
end
local left = limit - #out / 3
if left > 0 then
  for _, id in ipairs(call('ZRANGE', W, 0, left - 1)) do
    call('ZREM', W, id)
    take(id)
  end
end
return out
