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
