#!lua flags=allow-oom
-- Sells an event on other conditions from now on; with other categories or prices only while it is not on sale.
-- Uses prelude.lua
-- Uses offer.lua
-- Uses areas.lua
-- Uses seat_map.lua
-- KEYS  1 inventory  2 log  3 seats  4 run
-- ARGV  1 caller  2 the offer as it was read, as JSON, or ''  3 who asks for it, as a member of a JSON object
--       4 the offer, as JSON  5 the offer, as offer.lua reads it  6… fields of the inventory and their values, '' for
--       one that is to go
-- Reply {'SET', position} (also when it was so already) | {'STALE'} (it is not as it was read) | {'ON_SALE'}
--       | {'CLOSED'} | any refusal of load_inventory
-- Invariant: a seat that is available is not of a category off sale.
local was, by, offer, searched = unpack(ARGV, 2, 5)

local inventory, refusal = load_inventory('state', 'capacity', 'sold', 'held', 'blocked')
if not inventory then
  return refusal
end
-- Whether it is about categories or prices: those change only while nobody buys.
local function changes_terms()
  for i = 6, #ARGV, 2 do
    local is_term = ARGV[i] == 'offer' or ARGV[i] == 'currency'
    if is_term and (inventory[ARGV[i]] or '') ~= ARGV[i + 1] then
      return true
    end
  end
  return false
end
if inventory.state == 'closed' then
  return {'CLOSED'}
elseif inventory.state == 'on_sale' and changes_terms() then
  return {'ON_SALE'}
elseif (redis.call('HGET', KEYS[1], 'offered') or '') ~= was then
  return {'STALE'}
elseif offer == was then
  return {'SET', inventory.epoch .. '-' .. inventory.seq}
end

-- What can be had of a category that is off sale is blocked, and comes back with it.
local changed, blocked, returns = {}, 0, 0
for _, part in ipairs(offered({offer = searched})) do
  local from, to = 'x', 'a'
  if part.off_sale then
    from, to = 'a', 'x'
  end
  for block = part.first, part.last do
    local map = map_of(block)
    local seats = is_area(map) and places(map, from) or select(2, map:gsub(from, ''))
    if seats > 0 then
      changed[block] = is_area(map) and moved(map, from, to, seats) or map:gsub(from, to)
      blocked = blocked + (part.off_sale and seats or 0)
      returns = returns + (part.off_sale and 0 or seats)
    end
  end
end
inventory.blocked = inventory.blocked + blocked - returns

local at = now_ms()
local change = change_json('offer', at, '"offer":%s,"was":%s,"left":%d,"blocked":%d,"returned":%d,%s',
  offer, was == '' and 'null' or was, seats_left(inventory), blocked, returns, by)
local position = commit(inventory, at, change, 'blocked', inventory.blocked)
for i = 6, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
  else
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
end
for block, map in pairs(changed) do
  redis.call('HSET', KEYS[3], block, map)
  if not is_area(map) then
    redis.call('SETRANGE', KEYS[4], block, longest_run(map))
  end
end
return {'SET', position}
