-- What all scripts of a queue start with.
--
-- KEYS, the same for every script; all carry the run's hash tag, so they lie
-- on one node of a cluster:
--    1 C  HASH  counter -> n, and the marks closed, sealed, paused, held:<group>
--    2 N  HASH  named counter of the steps -> n
--    3 B  HASH  id -> body; kept when the item is done, as it says who was served
--    4 S  HASH  id -> state|group|attempts|crashes|order|token|again
--    5 P  ZSET  waiting, all of score 0: group|order|id
--    6 G  ZSET  the ring: group with something waiting -> eligible from
--    7 I  HASH  group -> leased items
--    8 Q  HASH  group -> not before: cool-down and spacing
--    9 L  ZSET  leased: id -> expires
--   10 W  ZSET  delayed: id -> due
--   11 F  HASH  id -> failures, a line each: time TAB class TAB reason
--   12 X  ZSET  dead: id -> died
--   13 R  HASH  dead: id -> group|attempts|crashes|body; outlives the run's other keys
-- ARGV[1] is the channel that announces new work; what follows is the script's own.
--
-- States: w waiting, l leased, y delayed, d done, f deferred, x dead, r dropped.
-- order gives an item its place among those of its group; an item that was
-- handed back unharmed keeps it, and so is first again. token is that of the
-- last lease; it stays until the item is claimed again, so that a worker whose
-- connection broke may repeat how it ended the lease. again is set while the
-- item is leased and its body was changed: the group to wait in next.
-- Times are microseconds of the server's clock.

local C, N, B, S, P, G, I, Q, L, W, F, X, R = unpack(KEYS)
local call = redis.call
local clock = call('TIME')
local now = clock[1] * 1000000 + clock[2]
local ring_grew = false

local function incr(counter, n)
  return call('HINCRBY', C, counter, n or 1)
end

-- fetch reads an item's state; nil for an unknown id.
local function fetch(id)
  local raw = call('HGET', S, id)
  if not raw then return nil end
  local state, group, attempts, crashes, order, token, again =
    string.match(raw, '^(%l)|([^|]*)|(%d+)|(%d+)|(%d*)|([^|]*)|([^|]*)$')
  if not state then return nil end
  return {id = id, state = state, group = group, attempts = tonumber(attempts),
    crashes = tonumber(crashes), order = order, token = token, again = again}
end

local function save(item)
  call('HSET', S, item.id, table.concat({item.state, item.group, item.attempts,
    item.crashes, item.order, item.token, item.again}, '|'))
end

-- Invariant 7. held is the item if the token is that of its running lease. If not, the
-- second result tells whether the lease was ended by this very token.
local function held(id, token)
  local item = fetch(id)
  if not item or item.token ~= token then return nil, false end
  if item.state ~= 'l' then return nil, true end
  return item
end

-- ring lets a group have its turn, not before its cool-down and spacing allow.
local function ring(group)
  local from = tonumber(call('HGET', Q, group) or 0)
  if call('ZADD', G, 'NX', math.max(now, from), group) == 1 then ring_grew = true end
end

-- enter makes an item wait: at its old place, or behind all others.
local function enter(item)
  if item.order == '' then item.order = string.format('%015.0f', incr('seq')) end
  item.state = 'w'
  call('ZADD', P, 0, item.group .. '|' .. item.order .. '|' .. item.id)
  ring(item.group)
end

-- leave ends an item's lease, which gives its group a turn.
local function leave(item)
  call('ZREM', L, item.id)
  if call('HINCRBY', I, item.group, -1) <= 0 then call('HDEL', I, item.group) end
  ring(item.group)
end

-- turn takes up what was changed while the item was leased; false if nothing.
local function turn(item)
  if item.again == '' then return false end
  item.group, item.again, item.order = item.again, '', ''
  return true
end

local MOST_HISTORY = 8000 -- bytes; the first failure and the latest are kept

local function note(item, class, reason)
  local lines = (call('HGET', F, item.id) or '')
    .. string.format('%.0f', now) .. '\t' .. class .. '\t' .. reason .. '\n'
  while #lines > MOST_HISTORY do
    local first, rest = string.match(lines, '^([^\n]*\n)[^\n]*\n(.+)$')
    if not first then break end
    lines = first .. rest
  end
  call('HSET', F, item.id, lines)
end

local COUNTER = {d = 'done', f = 'deferred', x = 'dead', r = 'dropped'}

-- settle ends an item whose lease has ended: d, f or x. One that was changed
-- meanwhile waits again instead.
local function settle(item, state)
  if turn(item) then
    if state ~= 'x' then item.attempts, item.crashes = 0, 0 end
    enter(item)
    return
  end
  item.state, item.order = state, ''
  incr(COUNTER[state])
  if state == 'x' then
    call('ZADD', X, now, item.id)
    call('HSET', R, item.id, table.concat({item.group, item.attempts, item.crashes,
      call('HGET', B, item.id) or ''}, '|'))
  else
    call('HDEL', F, item.id)
  end
end

-- reopen makes an item that had ended wait again, as if new.
local function reopen(item)
  incr(COUNTER[item.state], -1)
  incr('reopened')
  if item.state == 'x' then
    call('ZREM', X, item.id)
    call('HDEL', R, item.id)
  end
  item.attempts, item.crashes, item.order, item.token = 0, 0, '', ''
  enter(item)
end

-- outstanding is what has not ended.
local function outstanding()
  local v = call('HMGET', C, 'enqueued', 'done', 'deferred', 'dead', 'dropped')
  return (tonumber(v[1]) or 0) - (tonumber(v[2]) or 0) - (tonumber(v[3]) or 0)
    - (tonumber(v[4]) or 0) - (tonumber(v[5]) or 0)
end

-- tally adds the named counters that stand in ARGV from the given index, as
-- pairs of name and number.
local function tally(from)
  for i = from, #ARGV, 2 do call('HINCRBY', N, ARGV[i], ARGV[i + 1]) end
end

-- due makes up to limit delayed items wait whose time has come.
local function due(limit)
  local ids = call('ZRANGEBYSCORE', W, '-inf', now, 'LIMIT', 0, limit)
  for _, id in ipairs(ids) do
    call('ZREM', W, id)
    local item = fetch(id)
    if item and item.state == 'y' then
      enter(item)
      save(item)
    end
  end
  return #ids
end

-- reclaim takes up to limit items back whose lease expired. One that did so
-- the given number of times is dead: it probably kills its worker.
local function reclaim(limit, crashes)
  local ids = call('ZRANGEBYSCORE', L, '-inf', now, 'LIMIT', 0, limit)
  for _, id in ipairs(ids) do
    local item = fetch(id)
    call('ZREM', L, id)
    if item and item.state == 'l' then
      leave(item)
      incr('reclaimed')
      item.crashes, item.token = item.crashes + 1, ''
      note(item, 'crash', 'the worker stopped renewing its lease')
      if item.crashes >= crashes then
        settle(item, 'x')
      else
        turn(item)
        enter(item)
      end
      save(item)
    end
  end
  return #ids
end

-- reply announces new work, once, and is the script's result.
local function reply(result)
  if ring_grew then call('PUBLISH', ARGV[1], 'work') end
  return result
end
