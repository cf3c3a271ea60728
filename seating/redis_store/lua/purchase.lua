-- Sells seats: the best ones for a quantity, given ones, or those of a hold.
-- Uses prelude.lua
-- Uses offer.lua
-- Uses areas.lua
-- Uses seat_map.lua
-- Uses damage.lua
-- Uses backlog.lua
-- Uses hold_keys.lua
-- Uses acceptance.lua
-- Uses places.lua
-- Uses searching.lua
-- Uses split.lua
-- Uses choice.lua
-- Uses holds.lua
-- Uses limits.lua
-- Uses buyers.lua
-- KEYS  1 inventory  2 log  3 seats  4 run  5 hold  6 holds  7 holders  8 damaged  9 idempotency  10 notes
--       11 spots  12 buyers  13 limit, if there is one
-- ARGV  1 caller  2 idempotency field  3 fingerprint  4 rendering  5 quantity  6 given seats, as runs, or ''
--       7 what the buyer wishes, as offer.lua reads it
--       8 backlog limit, in entries  9 backlog limit, in percent of maxmemory
--       10 nonce  11 caller's name, as members of a JSON object  12 id of a hold, or ''
--       13 the operator, as a member of a JSON object, whom neither the sale's state nor the backlog stops; or ''
--       14 position|seats left|at that the buyer was told by a history that was lost, or ''
--       15 personal data: a JSON object that begins with its salt, or ''
--       16 hash of caller and buyer, or ''  17… rate limit, if there is one: 'window' or 'bucket', its numbers
-- Reply {'SOLD', record} | {'REPLAYED', record} | {'REUSED', 'purchase', 'hold' or ''} | any refusal of acceptance.lua
--       | {'SOLD_OUT', seats left} | {'NOT_TOGETHER', seats left} | {'SEAT_UNAVAILABLE', those that are not, as runs}
--       | {'HOLD_EXPIRED'} | {'BUYER_MISSING', seats that one buyer may have} | {'BUYER_LIMIT', how many more this one may}
--       | any refusal of load_inventory
--       | {'RATE_LIMITED'}, and, where the rate limit was asked, its verdict behind any of these
-- A record is rendering|fingerprint|position|nonce|quantity|seats left|runs|at|{caller's name and personal data, as JSON}.
-- Of an event with categories the JSON has `tariff` too, what each run is sold as, and `currency`.
-- Invariant: sold + held + blocked never exceed capacity, and as many seats are marked sold as `sold` counts.
local field, fingerprint, rendering, quantity, given, wish, most_entries, most_percent = unpack(ARGV, 2, 9)
local nonce, shop, hold_id, by, told, private, buyer = unpack(ARGV, 10, 16)

local inventory, refusal = load_inventory('state', 'capacity', 'sold', 'held', 'blocked', 'persisted', 'checked')
if not inventory then
  return refusal
end
local at = now_ms()
refusal = replayed(field, fingerprint, at, private)
if refusal then
  return refusal
end

-- What was sold once is answered again without asking the limit; any other request counts, whatever comes of it.
local answer, limited = measure(KEYS[13], 17, at)
refusal = limited or by == '' and not_accepting(inventory, at, most_entries, most_percent)
if refusal then
  return answer(refusal)
end

-- Why this is too much for one purchase, or for its buyer, or nil.
local function excess(seats)
  if by ~= '' then
    return nil
  end
  local _, _, _, most = bounds_of(inventory)
  if most == '' then
    return too_many(inventory, seats)
  elseif buyer == '' then
    return {'BUYER_MISSING', tonumber(most)}
  end
  local left = math.max(0, most - seats_of_buyer(KEYS[12], buyer))
  return too_many(inventory, seats) or seats > left and {'BUYER_LIMIT', left} or nil
end

quantity = tonumber(quantity)
local hold
local runs
runs, refusal = after_releases(inventory, at, function()
  if hold_id == '' then
    local too_much = excess(quantity)
    if too_much then
      return nil, too_much
    end
    local wished = read_wish(inventory, wish)
    wished.also_off_sale = by ~= ''  -- Somebody was told yours, before it went off sale.
    return choose_seats(inventory, quantity, given, wished)
  end
  hold = find_hold(hold_id, at)
  if not hold then
    return nil, {'HOLD_EXPIRED'}
  end
  return hold.runs, excess(hold.quantity)
end)
if refusal then
  return answer(refusal)
end

if hold then
  quantity = hold.quantity
  inventory.held = inventory.held - quantity
end
inventory.sold = inventory.sold + quantity
if by ~= '' then  -- What is sold again may be off sale by now.
  inventory.blocked = inventory.blocked - number_off_sale(runs)
end
if told == '' then
  shop = shop .. tariff_members(inventory, runs)
end

-- What the buyer is told: of a purchase that is sold again, what its first receipt said, byte for byte.
local original, left, told_at = told:match('^([^|]*)|(%d+)|(%d+)$')
left, told_at = left or seats_left(inventory), told_at or at
local private_hash, private_member = '', ''
if private ~= '' then
  private_hash, private_member = (',"private":"%s"'):format(redis.sha1hex(private)), ',"private":' .. private
end
local change = change_json('purchased', told_at, '"quantity":%d,"left":%d,"runs":"%s","nonce":"%s",' ..
  '"idempotency":"%s","fingerprint":"%s","rendering":%d,"hold":%s,%s%s%s',
  quantity, left, runs, nonce, field, fingerprint, rendering, hold and '"' .. hold.id .. '"' or 'null', shop, private_hash,
  original and (',"original":"%s","replayed":%d,%s'):format(original, at, by) or '')
local position = append(inventory, change, private ~= '' and private or nil)
store(inventory, at, 'sold', inventory.sold, 'held', inventory.held, 'blocked', inventory.blocked)

local record = ('%s|%s|%s|%s|%d|%d|%s|%d|{%s%s}'):format(
  rendering, fingerprint, original or position, nonce, quantity, left, runs, told_at, shop, private_member)
redis.call('HSET', KEYS[9], field, record)
if buyer ~= '' then
  add_to_buyer(KEYS[12], buyer, quantity)
end
if hold then
  forget_hold(hold, at)
end
mark(runs, hold and 'h' or 'a', 's')
return answer({'SOLD', record})
