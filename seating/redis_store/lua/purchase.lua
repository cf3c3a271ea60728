-- Sells seats: the best ones for a quantity, given ones, or those of a hold.
-- Uses damage.lua
-- Uses acceptance.lua
-- Uses choice.lua
-- Uses holding.lua
-- Uses limits.lua
-- KEYS  1 inventory  2 log  3 seats  4 run  5 hold  6 holds  7 holders  8 damaged  9 idempotency  10 limit, if there is one
-- ARGV  1 caller  2 idempotency field  3 fingerprint  4 quantity  5 nonce  6 rendering  7 caller's name and the shop's
--         reference, as members of a JSON object
--       8 backlog limit, in entries  9 backlog limit, in percent of maxmemory  10 given seats, as runs, or ''
--       11 '1' for the operator, whom neither the sale's state nor the backlog stops
--       12 '1' if the seats of a quantity have to be together  13 id of a hold, or ''
--       14 position|seats left|at that the buyer was told by a history that was lost, or ''
--       15… rate limit, if there is one: 'window' or 'bucket', its numbers
-- Reply {'SOLD', record} | {'REPLAYED', record} | {'REUSED'} | {'NOT_ON_SALE', state} | {'BACKLOG_FULL'}
--       | {'SOLD_OUT', seats left} | {'NOT_TOGETHER', seats left} | {'SEAT_UNAVAILABLE', those that are not, as runs}
--       | {'HOLD_EXPIRED'} | any refusal of load_inventory
--       | {'RATE_LIMITED'}, and, where the rate limit was asked, its verdict behind any of these
-- A record is rendering|fingerprint|position|nonce|quantity|seats left|runs|at|{caller's name and reference, as JSON}.
-- Invariant: sold + held + blocked never exceed capacity, and as many seats are marked sold as `sold` counts.
local inventory, refusal = load_inventory('state', 'capacity', 'sold', 'held', 'blocked', 'persisted', 'checked')
if not inventory then
  return refusal
end
refusal = replayed(ARGV[2], ARGV[3])
if refusal then
  return refusal
end

-- What was sold once is answered again without asking the limit; any other request counts, whatever comes of it.
local at = now_ms()
local verdict = KEYS[10] and take(KEYS[10], ARGV, 15, at)
local function answer(reply)
  reply[#reply + 1] = verdict
  return reply
end
if verdict and verdict[1] == 0 then
  return answer({'RATE_LIMITED'})
end

refusal = ARGV[11] ~= '1' and not_accepting(inventory, ARGV[8], ARGV[9])
if refusal then
  return answer(refusal)
end

local quantity = tonumber(ARGV[4])
local hold
local runs
runs, refusal = after_releases(inventory, at, function()
  if ARGV[13] == '' then
    return choose_seats(inventory, quantity, ARGV[10], ARGV[12] == '1')
  end
  hold = find_hold(ARGV[13], at)
  if not hold then
    return nil, {'HOLD_EXPIRED'}
  end
  return hold.runs
end)
if refusal then
  return answer(refusal)
end

if hold then
  quantity = hold.quantity
  inventory.held = inventory.held - quantity
end
inventory.sold = inventory.sold + quantity
-- What the buyer is told: of a purchase that is sold again, what its first receipt said, byte for byte.
local original, left, told_at = ARGV[14]:match('^([^|]*)|(%d+)|(%d+)$')
left, told_at = left or seats_left(inventory), told_at or ('%d'):format(at)
local change = ('{"kind":"purchased","at":%s,"quantity":%d,"left":%d,"runs":"%s","nonce":"%s",' ..
  '"idempotency":"%s","fingerprint":"%s","rendering":%d,'):format(
  told_at, quantity, left, runs, ARGV[5], ARGV[2], ARGV[3], ARGV[6])
change = change .. '"hold":' .. (hold and '"' .. hold.id .. '"' or 'null') .. ',' .. ARGV[7]
if original then
  change = change .. ',"original":"' .. original .. '"'
end
local position, seq, link = append(inventory, change .. '}')

local shop = '{' .. ARGV[7] .. '}'
local record = {ARGV[6], ARGV[3], original or position, ARGV[5], quantity, left, runs, told_at, shop}
record = table.concat(record, '|')
redis.call('HSET', KEYS[9], ARGV[2], record)
redis.call('HSET', KEYS[1], 'seq', seq, 'chain', link, 'sold', inventory.sold, 'held', inventory.held, 'updated', at)
if hold then
  forget_hold(hold)
end
mark(KEYS[3], KEYS[4], parse_runs(runs), 's')
return answer({'SOLD', record})
