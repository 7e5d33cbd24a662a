-- stats reads all counters at one instant, without looking at any item.
-- ARGV: channel
-- result: waiting, leased, delayed, groups that have a turn now; then two
--   lists of pairs: C and N
return {call('ZCARD', P), call('ZCARD', L), call('ZCARD', W), call('ZCOUNT', G, '-inf', now),
  call('HGETALL', C), call('HGETALL', N)}
