-- Lets a hold last longer: from now on, but not beyond its longest time since it began, and never shorter.
-- Uses damage.lua
-- Uses acceptance.lua
-- Uses holding.lua
-- KEYS  1 inventory  2 log  3 seats  4 run  5 hold  6 holds  7 holders  8 damaged
-- ARGV  1 caller  2 id of the hold  3 ms to hold from now on  4 ms that a hold may last altogether
--       5 backlog limit, in entries  6 backlog limit, in percent of maxmemory
-- Reply {'EXTENDED', position, until, quantity, runs} (also when it lasts as long as it may: nothing changes)
--       | {'HOLD_EXPIRED'} | {'BACKLOG_FULL'} | any refusal of load_inventory
local inventory, refusal = load_inventory('capacity', 'sold', 'held', 'blocked', 'persisted', 'checked')
if not inventory then
  return refusal
end
local at = now_ms()
release_due(inventory, at)
local hold = find_hold(ARGV[2], at)
if not hold then
  return {'HOLD_EXPIRED'}
end
local position = inventory.epoch .. '-' .. inventory.seq
local until_ms = math.min(at + ARGV[3], hold.since + ARGV[4])
if until_ms > tonumber(hold.until_ms) then
  refusal = backlog_full(inventory, ARGV[5], ARGV[6])
  if refusal then
    return refusal
  end
  local seq, link
  local change = ('{"kind":"extended","at":%d,"hold":"%s","until":%d}'):format(at, hold.id, until_ms)
  position, seq, link = append(inventory, change)
  redis.call('HSET', KEYS[1], 'seq', seq, 'chain', link, 'updated', at)
  hold.until_ms = until_ms
  keep_hold(hold)
end
return {'EXTENDED', position, tostring(hold.until_ms), hold.quantity, hold.runs}
