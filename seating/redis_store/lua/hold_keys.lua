-- What is kept of the idempotency keys that holds were made with: a record while the hold lasts, and then a note, for
-- which the key is refused until it is over.
--   KEYS[9] idempotency: field to a record
--   KEYS[10] notes: first character of a field to, newest first, the rest of each field, ':' and until when its note stays
-- Many notes share a value: a field of the hash for each would take three times the memory.

local RECORD_OF_HOLD = '^%d+|([^|]*)|([%w_-]+)|([%w_-]+)$'  -- rendering|fingerprint|id of the hold|its token, sealed
local NOTE_BYTES, UNTIL_BYTES = 35, 13

-- Whether a hold of this key has ended, and not long ago.
local function has_note(field, at)
  local notes = redis.call('HGET', KEYS[10], field:sub(1, 1)) or ''
  local place = notes:find(field:sub(2) .. ':', 1, true)
  local until_ms = place and tonumber(notes:sub(place + NOTE_BYTES - UNTIL_BYTES, place + NOTE_BYTES - 1))
  return until_ms and until_ms > at
end

-- The notes in one value that are not over yet.
local function notes_in(first, at)
  local notes = redis.call('HGET', KEYS[10], first) or ''
  local last = #notes
  while last > 0 and (tonumber(notes:sub(last - UNTIL_BYTES + 1, last)) or 0) <= at do
    last = last - NOTE_BYTES
  end
  return notes:sub(1, math.max(last, 0))
end

local function write_notes(first, notes)
  if notes ~= '' then
    redis.call('HSET', KEYS[10], first, notes)
  else
    redis.call('HDEL', KEYS[10], first)
  end
end

-- The hold has ended: a note takes the place of its key's record. A record that is not the hold's stays.
local function end_key(hold, at)
  if hold.field == '' then
    return
  end
  local _, id = (redis.call('HGET', KEYS[9], hold.field) or ''):match(RECORD_OF_HOLD)
  if id == hold.id then
    redis.call('HDEL', KEYS[9], hold.field)
  end
  local first = hold.field:sub(1, 1)
  write_notes(first, ('%s:%d'):format(hold.field:sub(2), at + hold.note_ms) .. notes_in(first, at))
end
