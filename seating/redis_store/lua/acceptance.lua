-- What decides whether a buyer's request is taken at all, shared by the scripts that sell and hold.

-- The reply to a repetition, if `field` of the idempotency records is there: a record begins rendering|fingerprint|.
local function replayed(records_key, field, fingerprint)
  local record = redis.call('HGET', records_key, field)
  if not record then
    return nil
  end
  if record:match('^%d+|([^|]*)|') == fingerprint then
    return {'REPLAYED', record}
  end
  return {'REUSED'}
end

-- Memory is looked at before every 64th entry. While there is too little, no entry is added, so every call looks.
local function memory_is_short(seq, percent)
  if seq % 64 ~= 0 then
    return false
  end
  local info = redis.call('INFO', 'memory')
  local used, limit = info:match('used_memory:(%d+)'), info:match('maxmemory:(%d+)')
  return limit ~= '0' and used * 100 > limit * percent
end

-- Why no buyer adds to the log now, or nil. The limits are of the backlog: entries, and percent of maxmemory.
local function backlog_full(inventory, most_entries, most_percent)
  if inventory.seq - inventory.persisted >= tonumber(most_entries) or memory_is_short(inventory.seq, most_percent) then
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
