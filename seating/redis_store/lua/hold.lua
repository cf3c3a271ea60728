-- Holds seats for a buyer for a while: the best ones for a quantity, or given ones.
-- Uses prelude.lua
-- Uses seat_map.lua
-- Uses damage.lua
-- Uses backlog.lua
-- Uses acceptance.lua
-- Uses searching.lua
-- Uses split.lua
-- Uses choice.lua
-- Uses holding.lua
-- KEYS  1 inventory  2 log  3 seats  4 run  5 hold  6 holds  7 holders  8 damaged  9 idempotency  10 spots
-- ARGV  1 caller  2 idempotency field, or ''  3 fingerprint  4 rendering  5 quantity  6 given seats, as runs, or ''
--       7 '1' if the seats of a quantity have to be together
--       8 backlog limit, in entries  9 backlog limit, in percent of maxmemory
--       10 id of the hold  11 ms to hold  12 holder  13 the most seats that one holder may hold
-- Reply {'HELD', record} | {'REPLAYED', record} | {'REUSED'} | {'NOT_ON_SALE', state} | {'BACKLOG_FULL'}
--       | {'SOLD_OUT', seats left} | {'NOT_TOGETHER', seats left} | {'SEAT_UNAVAILABLE', those that are not, as runs}
--       | {'TOO_MANY_HELD', seats that the holder holds} | any refusal of load_inventory
-- A record is rendering|fingerprint|position|until|quantity|runs, with `until` in ms since 1970.
-- Invariant: what `held` counts is held by holds and by the organiser; `holders` counts the seats of each holder.
local field, fingerprint, rendering, quantity, given, together, most_entries, most_percent = unpack(ARGV, 2, 9)
local id, ms_to_hold, holder, most_held = unpack(ARGV, 10, 13)

local inventory, refusal = load_inventory('state', 'capacity', 'sold', 'held', 'blocked', 'persisted', 'checked')
if not inventory then
  return refusal
end
refusal = field ~= '' and replayed(field, fingerprint) or not_accepting(inventory, most_entries, most_percent)
if refusal then
  return refusal
end

local at = now_ms()
quantity = tonumber(quantity)
local runs
runs, refusal = after_releases(inventory, at, function()
  local holds_already = count_of(holder)
  if holds_already + quantity > tonumber(most_held) then
    return nil, {'TOO_MANY_HELD', holds_already}
  end
  return choose_seats(inventory, quantity, given, {together = together == '1'})
end)
if refusal then
  return refusal
end

inventory.held = inventory.held + quantity
local hold = {id = id, since = at, until_ms = at + ms_to_hold, quantity = quantity, runs = runs, holder = holder}
local change = change_json('held', at, '"hold":"%s","until":%d,"quantity":%d,"left":%d,"runs":"%s",' ..
  '"idempotency":"%s","fingerprint":"%s","rendering":%d',
  id, hold.until_ms, quantity, seats_left(inventory), runs, field, fingerprint, rendering)
local position = commit(inventory, at, change, 'held', inventory.held)

local record = ('%s|%s|%s|%d|%d|%s'):format(rendering, fingerprint, position, hold.until_ms, quantity, runs)
if field ~= '' then
  redis.call('HSET', KEYS[9], field, record)
end
keep_hold(hold)
add_to_count(holder, quantity)
mark(runs, 'h')
return {'HELD', record}
