-- Sells seats: a quantity, or given seats. Of a seated event, a quantity means the best row that has them together,
-- nearest the row's middle.
-- Uses limits.lua
-- KEYS  1 inventory  2 log  3 idempotency  4 seats  5 run  6 limit, if there is one
-- ARGV  1 run_id  2 idempotency field  3 fingerprint  4 quantity  5 nonce  6 rendering  7 reference, as JSON
--       8 backlog limit, in entries  9 backlog limit, in percent of maxmemory  10 given seats, as runs, or ''
--       11 '1' for the operator, whom neither the sale's state nor the backlog stops
--       12… rate limit, if there is one: 'window' or 'bucket', its numbers
-- Reply {'SOLD', record} | {'REPLAYED', record} | {'REUSED'} | {'NOT_ON_SALE', state} | {'BACKLOG_FULL'}
--       | {'SOLD_OUT', seats left} | {'NOT_TOGETHER', seats left} | {'SEAT_UNAVAILABLE'} | {'MISSING'} | {'UNTRUSTED'}
--       | {'RATE_LIMITED'}, and, where the rate limit was asked, its verdict behind any of these
-- A record is rendering|fingerprint|position|nonce|quantity|seats left|runs.
-- Invariant: sold + held + blocked never exceed capacity, and as many seats are marked sold as `sold` counts.

-- Memory is looked at before every 64th entry. While there is too little, no entry is added, so every call looks.
local function memory_is_short(seq, percent)
  if seq % 64 ~= 0 then
    return false
  end
  local info = redis.call('INFO', 'memory')
  local used, limit = info:match('used_memory:(%d+)'), info:match('maxmemory:(%d+)')
  return limit ~= '0' and used * 100 > limit * percent
end

-- Where in the map (from 1) to seat `quantity` neighbours, which the block has: in its first row that has them,
-- nearest the row's middle, then leftmost.
local function best_place(map, quantity)
  local wanted = ('a'):rep(quantity)
  local first = map:find(wanted, 1, true)
  local row_start = first
  while row_start > 1 and map:byte(row_start - 1) ~= 124 do
    row_start = row_start - 1
  end
  local row_end = (map:find('|', first, true) or #map + 1) - 1
  local best, best_distance
  local place = first
  while place and place + quantity - 1 <= row_end do
    local distance = math.abs(2 * place + quantity - 1 - row_start - row_end)
    if not best or distance < best_distance then
      best, best_distance = place, distance
    end
    place = map:find(wanted, place + 1, true)
  end
  return best
end

local inventory, refusal = load_inventory('state', 'capacity', 'sold', 'held', 'blocked', 'persisted')
if not inventory then
  return refusal
end

local record = redis.call('HGET', KEYS[3], ARGV[2])
if record then
  local fingerprint = record:match('^%d+|([^|]*)|')
  if fingerprint == ARGV[3] then
    return {'REPLAYED', record}
  end
  return {'REUSED'}
end

-- What was sold once is answered again without asking the limit; any other request counts, whatever comes of it.
local at = now_ms()
local verdict = KEYS[6] and take(KEYS[6], ARGV, 12, at)
if verdict and verdict[1] == 0 then
  return {'RATE_LIMITED', verdict}
end

if ARGV[11] ~= '1' then
  if inventory.state ~= 'on_sale' then
    return {'NOT_ON_SALE', inventory.state, verdict}
  end
  if inventory.seq - inventory.persisted >= tonumber(ARGV[8]) or memory_is_short(inventory.seq, ARGV[9]) then
    return {'BACKLOG_FULL', verdict}
  end
end

local quantity = tonumber(ARGV[4])
local left = inventory.capacity - inventory.sold - inventory.held - inventory.blocked
if left < quantity then
  return {'SOLD_OUT', left, verdict}
end

local runs = ARGV[10]
if runs ~= '' then
  if not all_are(KEYS[4], parse_runs(runs), 'a') then
    return {'SEAT_UNAVAILABLE', verdict}
  end
else
  -- `run` has a character a block, '0' to '9' and ':' for 10, so one search finds the first block that can serve.
  local longest_runs = redis.call('GET', KEYS[5])
  if longest_runs then
    local block = longest_runs:find('[' .. string.char(48 + quantity) .. '-:]')
    if not block then
      return {'NOT_TOGETHER', left, verdict}
    end
    local place = best_place(redis.call('HGET', KEYS[4], block - 1), quantity)
    runs = (block - 1) .. ':' .. (place - 1) .. '-' .. quantity
  end
end

left = left - quantity
local change = ('{"kind":"purchased","at":%d,"quantity":%d,"left":%d,"runs":"%s","nonce":"%s",' ..
  '"idempotency":"%s","fingerprint":"%s","rendering":%d,"reference":'):format(
  at, quantity, left, runs, ARGV[5], ARGV[2], ARGV[3], ARGV[6]) .. ARGV[7] .. '}'
local position, seq, link = append(inventory, change)

record = table.concat({ARGV[6], ARGV[3], position, ARGV[5], quantity, left, runs}, '|')
redis.call('HSET', KEYS[3], ARGV[2], record)
redis.call('HSET', KEYS[1], 'seq', seq, 'chain', link, 'sold', inventory.sold + quantity, 'updated', at)
mark(KEYS[4], KEYS[5], parse_runs(runs), 's')
return {'SOLD', record, verdict}
