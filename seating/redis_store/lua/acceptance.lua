-- What decides whether a buyer's request is taken at all, shared by the scripts that sell and hold.
-- KEYS[9] idempotency

local RECORD_OF_PURCHASE = '^%d+|([^|]*)|%d+%-%d+|%x+|%d+|%d+|[%d:,-]*|%d+|{.*}$'
local RECORD_OF_HOLD = '^%d+|([^|]*)|%d+%-%d+|%d+|%d+|[%d:,-]*$'

-- The reply to a repetition, if `field` of the idempotency records is there. A record that cannot be read stays where
-- it is: to sell again under its key could be to sell twice.
local function replayed(field, fingerprint)
  local record = redis.call('HGET', KEYS[9], field)
  if not record then
    return nil
  end
  local recorded = record:match(RECORD_OF_PURCHASE) or record:match(RECORD_OF_HOLD)
  if recorded == fingerprint then
    return {'REPLAYED', record}
  end
  if not recorded then
    put_aside('idempotency ' .. field, record)
  end
  return {'REUSED'}
end

local LOOK_EVERY = 64

-- Memory is looked at once in 64 entries, whoever adds them. While there is too little, every call looks: `checked`, the
-- seq at which there was enough, stays where it is.
local function memory_is_short(inventory, most_percent)
  local since = inventory.seq - (inventory.checked or 0)
  if inventory.checked and since >= 0 and since < LOOK_EVERY then
    return false
  end
  local info = redis.call('INFO', 'memory')
  local used, limit = info:match('used_memory:(%d+)'), info:match('maxmemory:(%d+)')
  if limit ~= '0' and used * 100 > limit * most_percent then
    return true
  end
  redis.call('HSET', KEYS[1], 'checked', inventory.seq)
  return false
end

-- Why no buyer adds to the log now, or nil. The limits are of the backlog: entries, and percent of maxmemory.
local function backlog_full(inventory, most_entries, most_percent)
  if inventory.seq - inventory.persisted >= tonumber(most_entries) or memory_is_short(inventory, most_percent) then
    return {'BACKLOG_FULL'}
  end
  return nil
end

-- Why no buyer is served now, or nil.
local function not_accepting(inventory, most_entries, most_percent)
  if inventory.state ~= 'on_sale' then
    return {'NOT_ON_SALE', inventory.state}
  end
  return backlog_full(inventory, most_entries, most_percent)
end
