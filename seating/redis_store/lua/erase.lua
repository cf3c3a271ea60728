#!lua flags=allow-oom
-- Erases personal data of one purchase: from its receipt, its log entry, and what waits in quarantine.
-- Uses prelude.lua
-- Uses buyers.lua
-- KEYS  1 inventory  2 log  3 idempotency  4 cancelled  5 quarantine  6 buyers
-- ARGV  1 caller  2 position of its log entry  3 field of its receipt  4 its nonce  5 its position, as its buyer was told
--       6 its quantity  7 hash of caller and buyer, or ''
-- Reply {'ERASED'} | {'UNRECORDED'} (SQL must have what the log is to lose, and the entry from which it is compared then)
--       | any refusal of load_inventory
-- Invariant: link and position of every entry that stays are as before. The entry goes with all before it. The last one
--       is written anew, into a new log: a stream refuses ids below its highest deleted one.
local entry_id, field, nonce, told, quantity, buyer = unpack(ARGV, 2)

local inventory, refusal = load_inventory('persisted')
if not inventory then
  return refusal
end
local entry = redis.call('XRANGE', KEYS[2], entry_id, entry_id)[1]
local kept, found = {}, false
for i = 1, entry and #entry[2] or 0, 2 do
  if entry[2][i] == 'private' then
    found = true
  else
    kept[#kept + 1], kept[#kept + 2] = entry[2][i], entry[2][i + 1]
  end
end
if found then
  local epoch, seq = entry_id:match('^(%d+)%-(%d+)$')
  local is_last = seq == inventory.seq
  if tonumber(inventory.persisted) < tonumber(seq) + (is_last and 0 or 1) then
    return {'UNRECORDED'}
  elseif is_last then
    redis.call('UNLINK', KEYS[2])
    redis.call('XADD', KEYS[2], entry_id, unpack(kept))
  else
    redis.call('XTRIM', KEYS[2], 'MINID', epoch .. '-' .. ('%d'):format(seq + 1))
  end
end

local record = redis.call('HGET', KEYS[3], field)
if record and record:find('|' .. nonce .. '|', 1, true) then
  local erased, changes = record:gsub(',"private":{.*}}$', ',"private":null}')
  if changes == 1 then
    redis.call('HSET', KEYS[3], field, erased)
    if buyer ~= '' then
      local cancelled, gone = redis.call('HGET', KEYS[4], told), 0
      if cancelled then
        gone = cancelled:match('^%d+|%d+|(%d+)|') or quantity
      end
      add_to_buyer(KEYS[6], buyer, gone - quantity)
    end
  end
end

local aside = redis.call('HGET', KEYS[5], entry_id)
if aside and aside:find('\n', 1, true) then
  redis.call('HSET', KEYS[5], entry_id, (aside:gsub('\n.*$', '')))
end
return {'ERASED'}
