-- What an inventory says of itself, and whether this server may sell from it: {this server, '1' if it may sell, '1'
-- while the inventory is claimed, values of the fields that ARGV names from 2 on, ms since 1970}; {} where no key of that name exists.
local function look()
  local values = redis.call('HMGET', KEYS[1], 'server', 'claim_until', unpack(ARGV, 2))
  local server, claim_until = values[1], values[2]
  if not server then
    return {}
  end
  local here = this_server()
  local at = now_ms()
  values[#ARGV + 2] = ('%d'):format(at)
  return {here, server == here and '1' or '', is_claimed(claim_until, at) and '1' or '', unpack(values, 3, #ARGV + 2)}
end
