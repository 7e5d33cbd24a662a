-- seal closes the queue for good if nothing is outstanding.
-- ARGV: channel, '1' if it must have been closed before else '0'
-- result: 1 if it is sealed, else 0; how many items are outstanding
if call('HEXISTS', C, 'sealed') == 1 then return {1, 0} end
local left = outstanding()
if left ~= 0 or (ARGV[2] == '1' and call('HEXISTS', C, 'closed') == 0) then return {0, left} end
call('HSET', C, 'sealed', string.format('%.0f', now))
call('PUBLISH', ARGV[1], 'sealed')
return {1, 0}
