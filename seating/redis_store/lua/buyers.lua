-- How many seats each buyer has whom a shop named, in a hash: hash of caller and buyer to seats that are not cancelled.

local function seats_of_buyer(key, buyer)
  return tonumber((redis.call('HGET', key, buyer) or ''):match('^%d+$') or 0)
end

local function add_to_buyer(key, buyer, seats)
  local count = seats_of_buyer(key, buyer) + seats
  if count > 0 then
    redis.call('HSET', key, buyer, count)
  else
    redis.call('HDEL', key, buyer)
  end
end

-- Why the buyer that a hold is for may not have so many seats more, or nil; what the buyer holds counts too.
-- `holders` are those of the hold, as holds.lua has them: the buyer, if a shop named one, comes second.
local function beyond_limit(inventory, key, holders, seats)
  local _, _, _, most = bounds_of(inventory)
  local buyer = holders:match(',([^:,]+)')
  if most == '' or not buyer then
    return nil
  end
  local left = math.max(0, most - seats_of_buyer(key, buyer) - count_of(buyer))
  return seats > left and {'BUYER_LIMIT', left} or nil
end
