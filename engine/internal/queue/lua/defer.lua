-- defer takes items out that wait or are delayed: this run does them no more.
-- ARGV: channel, limit, group ('': all)
-- result: id, group, body of each
local limit, out = tonumber(ARGV[2]), {}
local function take(id)
  local item = fetch(id)
  if not item then return end
  settle(item, 'f')
  save(item)
  for _, v in ipairs({id, item.group, call('HGET', B, id) or ''}) do out[#out + 1] = v end
end
local group = ARGV[3]
local from, to = '-', '+'
if group ~= '' then from, to = '[' .. group .. '|', '(' .. group .. '}' end
for _, member in ipairs(call('ZRANGEBYLEX', P, from, to, 'LIMIT', 0, limit)) do
  call('ZREM', P, member)
  take(string.match(member, '([^|]*)$'))
end
local left = limit - #out / 3
if left > 0 then
  -- Delayed items are few, and lie in the order of their time.
  for _, id in ipairs(call('ZRANGE', W, 0, -1)) do
    if left <= 0 then break end
    local item = group ~= '' and fetch(id)
    if group == '' or item and item.group == group then
      call('ZREM', W, id)
      take(id)
      left = left - 1
    end
  end
end
return out
