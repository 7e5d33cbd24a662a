-- renew prolongs leases, expired ones too as long as nobody took them back.
-- ARGV: channel, lease, then id, token of each
-- result: per lease 1, or 0 if it is lost
local out = {}
for i = 3, #ARGV, 2 do
  local item = held(ARGV[i], ARGV[i + 1])
  if item then call('ZADD', L, now + tonumber(ARGV[2]), item.id) end
  out[#out + 1] = item and 1 or 0
end
return out
