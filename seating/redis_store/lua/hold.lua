-- Holds seats for a buyer for a while: the best ones for a quantity, or given ones.
-- Uses damage.lua
-- Uses acceptance.lua
-- Uses choice.lua
-- Uses holding.lua
-- KEYS  1 inventory  2 log  3 seats  4 run  5 hold  6 holds  7 holders  8 damaged  9 idempotency
-- ARGV  1 caller  2 idempotency field, or ''  3 fingerprint  4 quantity  5 id of the hold  6 rendering  7 ms to hold
--       8 backlog limit, in entries  9 backlog limit, in percent of maxmemory  10 given seats, as runs, or ''
--       11 '1' if the seats of a quantity have to be together  12 holder  13 the most seats that one holder may hold
-- Reply {'HELD', record} | {'REPLAYED', record} | {'REUSED'} | {'NOT_ON_SALE', state} | {'BACKLOG_FULL'}
--       | {'SOLD_OUT', seats left} | {'NOT_TOGETHER', seats left} | {'SEAT_UNAVAILABLE', those that are not, as runs}
--       | {'TOO_MANY_HELD', seats that the holder holds} | any refusal of load_inventory
-- A record is rendering|fingerprint|position|until|quantity|runs, with `until` in ms since 1970.
-- Invariant: what `held` counts is held by holds and by the organiser; `holders` counts the seats of each holder.
local inventory, refusal = load_inventory('state', 'capacity', 'sold', 'held', 'blocked', 'persisted', 'checked')
if not inventory then
  return refusal
end
refusal = ARGV[2] ~= '' and replayed(ARGV[2], ARGV[3]) or not_accepting(inventory, ARGV[8], ARGV[9])
if refusal then
  return refusal
end

local at = now_ms()
local quantity = tonumber(ARGV[4])
local runs
runs, refusal = after_releases(inventory, at, function()
  local holds_already = count_of(ARGV[12])
  if holds_already + quantity > tonumber(ARGV[13]) then
    return nil, {'TOO_MANY_HELD', holds_already}
  end
  return choose_seats(inventory, quantity, ARGV[10], ARGV[11] == '1')
end)
if refusal then
  return refusal
end

inventory.held = inventory.held + quantity
local hold = {id = ARGV[5], since = at, until_ms = at + ARGV[7], quantity = quantity, runs = runs, holder = ARGV[12]}
local change = '{"kind":"held","at":%d,"hold":"%s","until":%d,"quantity":%d,"left":%d,"runs":"%s",' ..
  '"idempotency":"%s","fingerprint":"%s","rendering":%d}'
local position, seq, link = append(inventory, change:format(at, hold.id, hold.until_ms, quantity,
  seats_left(inventory), runs, ARGV[2], ARGV[3], ARGV[6]))

local record = table.concat({ARGV[6], ARGV[3], position, hold.until_ms, quantity, runs}, '|')
if ARGV[2] ~= '' then
  redis.call('HSET', KEYS[9], ARGV[2], record)
end
redis.call('HSET', KEYS[1], 'seq', seq, 'chain', link, 'held', inventory.held, 'updated', at)
keep_hold(hold)
add_to_count(hold.holder, quantity)
mark(KEYS[3], KEYS[4], parse_runs(runs), 'h')
return {'HELD', record}
