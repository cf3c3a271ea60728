-- Holds seats for a buyer for a while: the best ones for a quantity, or given ones.
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
-- ARGV  1 caller  2 idempotency field, or ''  3 fingerprint  4 rendering  5 quantity  6 given seats, as runs, or ''
--       7 what the buyer wishes, as offer.lua reads it
--       8 backlog limit, in entries  9 backlog limit, in percent of maxmemory
--       10 id of the hold  11 ms to hold  12 holders, each with the most that it may hold
--       13 its token, sealed with the key, or ''  14 ms that a note of the key stays when the hold has ended
--       15… rate limit, if there is one: 'window' or 'bucket', its numbers
-- Reply {'HELD', and what `tell` says of the hold}
--       | {'REPLAYED', the same of the hold as it is now, its id, its sealed token}
--       | {'HOLD_EXPIRED'} (the key's hold has ended) | {'REUSED', 'purchase', 'hold' or ''} | any refusal of acceptance.lua
--       | {'SOLD_OUT', seats left} | {'NOT_TOGETHER', seats left} | {'SEAT_UNAVAILABLE', those that are not, as runs}
--       | {'TOO_MANY_HELD', seats that a holder holds} | {'BUYER_LIMIT', how many more this buyer may have}
--       | any refusal of load_inventory
--       | {'RATE_LIMITED'}, and, where the rate limit was asked, its verdict behind any of these
-- Invariant: what `held` counts is held by holds and by the organiser; `holders` counts the seats of each holder.
local field, fingerprint, rendering, quantity, given, wish, most_entries, most_percent = unpack(ARGV, 2, 9)
local id, ms_to_hold, holders, sealed, note_ms = unpack(ARGV, 10, 14)

local inventory, refusal = load_inventory('state', 'capacity', 'sold', 'held', 'blocked', 'persisted', 'checked')
if not inventory then
  return refusal
end
local at = now_ms()

-- The reply to a hold whose key was used before, or nil.
local function replayed_hold()
  local record = redis.call('HGET', KEYS[9], field)
  local recorded, its_id, its_token = (record or ''):match(RECORD_OF_HOLD)
  if not recorded then
    local reply = replayed(field, nil, at)
    return reply and reply[2] == 'hold' and {'HOLD_EXPIRED'} or reply
  end
  local hold = find_hold(its_id, at)
  if not hold then
    return {'HOLD_EXPIRED'}
  end
  if recorded ~= fingerprint then
    return {'REUSED', 'hold'}
  end
  local reply = tell('REPLAYED', inventory, hold, at)
  reply[#reply + 1], reply[#reply + 2] = its_id, its_token
  return reply
end
quantity = tonumber(quantity)
refusal = field ~= '' and replayed_hold()
if refusal then
  return refusal
end
local answer, limited = measure(KEYS[13], 15, at)
refusal = limited or not_accepting(inventory, at, most_entries, most_percent) or too_many(inventory, quantity)
if refusal then
  return answer(refusal)
end

local runs
runs, refusal = after_releases(inventory, at, function()
  local too_much = too_many_held(holders, quantity) or beyond_limit(inventory, KEYS[12], holders, quantity)
  if too_much then
    return nil, too_much
  end
  return choose_seats(inventory, quantity, given, read_wish(inventory, wish))
end)
if refusal then
  return answer(refusal)
end

inventory.held = inventory.held + quantity
local hold = {id = id, since = at, until_ms = at + ms_to_hold, quantity = quantity, runs = runs,
  field = field, note_ms = note_ms, holders = holders}
local change = change_json('held', at, '"hold":"%s","until":%d,"quantity":%d,"left":%d,"runs":"%s",' ..
  '"idempotency":"%s","fingerprint":"%s","rendering":%d,"sealed":"%s","note":%d',
  id, hold.until_ms, quantity, seats_left(inventory), runs, field, fingerprint, rendering, sealed, note_ms)
commit(inventory, at, change, 'held', inventory.held)

if field ~= '' then
  redis.call('HSET', KEYS[9], field, table.concat({rendering, fingerprint, id, sealed}, '|'))
end
keep_hold(hold)
add_to_counts(holders, quantity)
mark(runs, 'a', 'h')
return answer(tell('HELD', inventory, hold, at))
