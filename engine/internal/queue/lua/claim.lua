-- claim leases up to n items: one per group and turn, so that groups share the
-- workers evenly, however much each has waiting.
-- ARGV: channel, lease, cap, gap, crashes, '1' if expired leases are to be taken back else '0', n, worker
-- result: what to do if nothing is handed out: wait so many microseconds, or
--   for news (-1), or for ever as the queue is sealed (-2); then id, group,
--   token, attempt, body of each lease
local lease, cap, gap = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local n, worker = tonumber(ARGV[7]), ARGV[8]
local MOST_TURNS = 1000 -- bounds the time that one script takes

local marks = call('HMGET', C, 'sealed', 'paused', 'holds')
if marks[1] then return {-2} end
local holds = tonumber(marks[3] or 0) > 0
due(100)
if ARGV[6] == '1' then reclaim(100, tonumber(ARGV[5])) end
if marks[2] then return reply({-1}) end

local function hand_out(member)
  call('ZREM', P, member)
  local id = string.match(member, '([^|]*)$')
  local item = fetch(id)
  if not item then return nil end
  item.state, item.token = 'l', string.format('%s:%.0f', worker, incr('leases'))
  save(item)
  call('ZADD', L, now + lease, id)
  return item
end

local out, served, turns = {-1}, 0, 0
while served < n and turns < MOST_TURNS do
  turns = turns + 1
  -- Groups that were served in this call come after those that were not.
  local group = call('ZRANGEBYSCORE', G, '-inf', now + served, 'LIMIT', 0, 1)[1]
  if not group then break end
  local member
  -- A group may be in the ring though it is at its cap, or held: whatever adds
  -- to it does not know that. Without this check neither would hold.
  local held = holds and call('HEXISTS', C, 'held:' .. group) == 1
  if not held and tonumber(call('HGET', I, group) or 0) < cap then
    member = call('ZRANGEBYLEX', P, '[' .. group .. '|', '(' .. group .. '}', 'LIMIT', 0, 1)[1]
  end
  if not member then
    call('ZREM', G, group)
  else
    local item = hand_out(member)
    if item then
      served = served + 1
      for _, v in ipairs({item.id, group, item.token, item.attempts + item.crashes + 1,
        call('HGET', B, item.id) or ''}) do out[#out + 1] = v end
      if gap > 0 then
        local from = tonumber(call('HGET', Q, group) or 0)
        call('HSET', Q, group, string.format('%.0f', math.max(from, now + gap)))
      end
      if call('HINCRBY', I, group, 1) >= cap then
        call('ZREM', G, group)
      else
        local from = tonumber(call('HGET', Q, group) or 0)
        call('ZADD', G, math.max(now + served, from), group)
      end
    end
  end
end

if served == 0 then
  if turns == MOST_TURNS then
    out[1] = 0
  else
    for _, key in ipairs({G, W, L}) do
      local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')
      if first[2] then
        local wait = math.max(0, tonumber(first[2]) - now)
        if out[1] < 0 or wait < out[1] then out[1] = wait end
      end
    end
  end
end
return reply(out)
