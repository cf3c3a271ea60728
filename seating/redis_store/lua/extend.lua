-- Lets a hold last longer: from now on, but not beyond its longest time since it began, and by no small step.
-- Uses prelude.lua
-- Uses offer.lua
-- Uses areas.lua
-- Uses seat_map.lua
-- Uses damage.lua
-- Uses backlog.lua
-- Uses hold_keys.lua
-- Uses holds.lua
-- KEYS  1 inventory  2 log  3 seats  4 run  5 hold  6 holds  7 holders  8 damaged  9 idempotency  10 notes
-- ARGV  1 caller  2 id of the hold  3 ms to hold from now on  4 ms that a hold may last altogether
--       5 backlog limit, in entries  6 backlog limit, in percent of maxmemory  7 the smallest step, in ms
-- Reply {'EXTENDED', and what `tell` says of the hold} (also if it would gain less: nothing changes)
--       | {'HOLD_EXPIRED'} | {'BACKLOG_FULL'} | any refusal of load_inventory
local hold_id, ms_to_hold, most_ms, most_entries, most_percent, step_ms = unpack(ARGV, 2)

local inventory, refusal = load_inventory('capacity', 'sold', 'held', 'blocked', 'persisted', 'checked')
if not inventory then
  return refusal
end
local at = now_ms()
release_due(inventory, at)
local hold = find_hold(hold_id, at)
if not hold then
  return {'HOLD_EXPIRED'}
end
local until_ms = math.min(at + ms_to_hold, hold.since + most_ms)
if until_ms - hold.until_ms >= tonumber(step_ms) then
  refusal = backlog_full(inventory, most_entries, most_percent)
  if refusal then
    return refusal
  end
  commit(inventory, at, change_json('extended', at, '"hold":"%s","until":%d', hold.id, until_ms))
  hold.until_ms = until_ms
  keep_hold(hold)
end
return tell('EXTENDED', inventory, hold, at)
