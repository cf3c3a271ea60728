#!lua flags=allow-oom
-- Cancels a purchase, all of it or a part: its seats return, and its idempotency record stays.
-- Uses prelude.lua
-- Uses offer.lua
-- Uses areas.lua
-- Uses seat_map.lua
-- Uses buyers.lua
-- KEYS  1 inventory  2 log  3 seats  4 run  5 cancelled: position of the purchase to at|seats left, or, while a part of
--       it stands, at|seats left|quantity cancelled|their runs
--       6 quarantine: it waits there no longer if it was poison  7 buyers
-- ARGV  1 caller  2 position of the purchase  3 its quantity  4 its runs
--       5 its epoch if SQL has not got it yet: then only this term's log tells of it; or ''
--       6 who asks for it, as a member of a JSON object
--       7 runs of the seats to cancel, or ''  8 how many places are to be cancelled in all, or ''; both '' for all
--       9 hash of caller and buyer, or ''
-- Reply {'CANCELLED', position, what field 5 has now} | {'ALREADY', position, what field 5 has} (nothing changes)
--       | any refusal of load_inventory
-- Invariant: a purchase's seats return once, however often it is cancelled and whoever has them since.
local purchase, bought, bought_runs, epoch, by, seats, total, buyer = unpack(ARGV, 2)

local inventory, refusal = load_inventory('capacity', 'sold', 'held', 'blocked')
if not inventory then
  return refusal
end
if epoch ~= '' and epoch ~= inventory.epoch then
  return {'UNTRUSTED', ''}
end

local kept = redis.call('HGET', KEYS[5], purchase)
local gone, gone_runs = (kept or ''):match('^%d+|%d+|(%d+)|([%d:,-]*)$')
local here = inventory.epoch .. '-' .. inventory.seq
if kept and not gone then
  return {'ALREADY', here, kept}
end
gone, gone_runs = tonumber(gone or 0), gone_runs or ''

-- Those of `runs` that are not cancelled yet, at most so many, as runs, and how many they are.
local function standing(runs, most)
  local is_gone, found, count = {}, {}, 0
  for _, run in ipairs(parse_runs(gone_runs)) do
    for place = run[2], run[2] + run[3] - 1 do
      is_gone[run[1] .. ':' .. place] = true
    end
  end
  for _, run in ipairs(parse_runs(runs)) do
    local open
    for place = run[2], run[2] + run[3] - 1 do
      local name = run[1] .. ':' .. place
      if is_gone[name] or count >= most then
        open = nil
      else
        open = open or {run[1], place, 0}
        open[3], count, is_gone[name] = open[3] + 1, count + 1, true
        found[#found + (open[3] == 1 and 1 or 0)] = open
      end
    end
  end
  for i, run in ipairs(found) do
    found[i] = run[1] .. ':' .. run[2] .. '-' .. run[3]
  end
  return table.concat(found, ','), count
end

local runs, quantity = '', 0
if bought_runs ~= '' then  -- The places of an area are counted from the purchase's first.
  local most = total ~= '' and total - gone or math.huge
  runs, quantity = standing(seats ~= '' and seats or bought_runs, most)
else
  quantity = math.min(tonumber(total) or tonumber(bought), tonumber(bought)) - gone
end
if quantity <= 0 then
  return {'ALREADY', here, kept or ''}
end

local at = now_ms()
inventory.sold = inventory.sold - quantity
local off_sale, give_back = returned(inventory, runs, 's')
local left, remaining = seats_left(inventory), bought - gone - quantity
local change = change_json('cancelled', at, '"purchase":"%s","quantity":%d,"left":%d,"runs":"%s",%s%s%s',
  purchase, quantity, left, runs, remaining > 0 and ('"remaining":%d,'):format(remaining) or '', by, off_sale)
local position = commit(inventory, at, change, 'sold', inventory.sold, 'blocked', inventory.blocked)

kept = ('%d|%d'):format(at, left)
if remaining > 0 then
  local all_runs = gone_runs ~= '' and gone_runs .. ',' .. runs or runs
  kept = ('%s|%d|%s'):format(kept, gone + quantity, all_runs)
else
  redis.call('HDEL', KEYS[6], purchase)
end
redis.call('HSET', KEYS[5], purchase, kept)
if buyer ~= '' then
  add_to_buyer(KEYS[7], buyer, -quantity)
end
give_back()
return {'CANCELLED', position, kept}
