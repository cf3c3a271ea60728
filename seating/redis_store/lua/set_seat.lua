-- Sets one seat as the organiser wants it, unless a buyer has it.
-- Uses damage.lua
-- Uses holding.lua
-- KEYS  1 inventory  2 log  3 seats  4 run  5 hold  6 holds  7 holders  8 damaged
-- ARGV  1 caller  2 the seat, as a run  3 its new status: a available, r blocked, b sold at the box office, o held
-- Reply {'SET', position} (also when it was so already: nothing changes) | {'SEAT_SOLD'} | {'SEAT_HELD'}
--       | {'SEAT_UNAVAILABLE', the seat} (its map cannot be read) | any refusal of load_inventory
-- Invariant: sold, held and blocked count the seats of their statuses.
local COUNTED = {b = 'sold', o = 'held', r = 'blocked'}
local REFUSED = {s = 'SEAT_SOLD', h = 'SEAT_HELD'}
local KNOWN = 'abor'
local inventory, refusal = load_inventory('capacity', 'sold', 'held', 'blocked')
if not inventory then
  return refusal
end
local at = now_ms()
local run = parse_runs(ARGV[2])[1]
local was
was, refusal = after_releases(inventory, at, function()
  local status = (redis.call('HGET', KEYS[3], run[1]) or ''):sub(run[2] + 1, run[2] + 1)
  if REFUSED[status] then
    return nil, {REFUSED[status]}
  end
  if not KNOWN:find(status, 1, true) or status == '' then
    return nil, {'SEAT_UNAVAILABLE', ARGV[2]}
  end
  return status
end)
if refusal then
  return refusal
end
if was == ARGV[3] then
  return {'SET', inventory.epoch .. '-' .. inventory.seq}
end

if COUNTED[was] then
  inventory[COUNTED[was]] = inventory[COUNTED[was]] - 1
end
if COUNTED[ARGV[3]] then
  inventory[COUNTED[ARGV[3]]] = inventory[COUNTED[ARGV[3]]] + 1
end
local change = ('{"kind":"seat_set","at":%d,"was":"%s","status":"%s","left":%d,"runs":"%s"}'):format(
  at, was, ARGV[3], seats_left(inventory), ARGV[2])
local position, seq, link = append(inventory, change)
redis.call('HSET', KEYS[1], 'seq', seq, 'chain', link, 'updated', at,
  'sold', inventory.sold, 'held', inventory.held, 'blocked', inventory.blocked)
mark(KEYS[3], KEYS[4], {run}, ARGV[3])
return {'SET', position}
