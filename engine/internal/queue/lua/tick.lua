-- tick moves on what time has made due.
-- ARGV: channel, crashes, '1' if expired leases are to be taken back else '0', limit
-- result: how many items were moved
local limit = tonumber(ARGV[4])
local moved = due(limit)
if ARGV[3] == '1' then moved = moved + reclaim(limit, tonumber(ARGV[2])) end
if call('ZCARD', L) == 0 then call('DEL', I) end -- nothing leased, nothing in flight
return reply(moved)
