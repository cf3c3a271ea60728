-- What the scripts on an event share, which all begin alike:
--   KEYS[1] inventory:{e}   KEYS[2] log:{e}
--   ARGV[1] the caller: run_id of the server that it is connected to, ':', the highest position that it has seen of
--           the event (0-0 if none); with traces on also ':', the traceparent that the entries get
--
-- Invariant: a change is refused before anything is written, or else written whole, its log entry first.

-- A server is its run_id and its replication id: a demotion and a fail-back change the second under one run_id.
local function this_server()
  local run_id, info = ARGV[1]:match('^%x*'), redis.call('INFO', 'replication')
  local _, before = info:find('master_replid:', 1, true)
  return run_id .. ':' .. info:sub(before + 1, before + 40)
end

local STATES = {draft = true, on_sale = true, paused = true, closed = true}
local TEXTS = {server = true, acknowledged = true, database = true}

local function is_readable(name, value)
  if TEXTS[name] or (name == 'checked' and not value) then  -- Nobody has looked at memory yet.
    return true
  elseif name == 'state' then
    return STATES[value]
  elseif name == 'chain' then
    return value and #value == 40
  elseif name == 'offer' then
    return not value or value:find('^%d+:[%d:;xqa-]+$')
  elseif name == 'organised' then
    return not value or value:find('^b%d+o%d+r%d+$')
  elseif name == 'bounds' then
    return not value or value:find('^%d*:%d*:%d*:%d*$')
  elseif name == 'currency' then
    return not value or value:find('^%u%u%u$')
  end
  return value and value:find('^%d+$')
end

-- The inventory's guarded fields and those named, as a table; or nil and the refusal to reply. One that cannot be read
-- is as good as missing: it is rebuilt from SQL.
local function read_inventory(...)
  local names = {'server', 'epoch', 'seq', 'chain', 'offer', 'currency', 'bounds', ...}
  local values = redis.call('HMGET', KEYS[1], unpack(names))
  if not values[2] then
    return nil, {'MISSING'}
  end
  if values[1] ~= this_server() then
    local stopped = redis.call('HGET', KEYS[1], 'stopped')
    return nil, stopped and {'STOPPED'} or {'UNTRUSTED', values[1]}
  end
  local inventory = {}
  for i = 1, #names do
    local name, value = names[i], values[i]
    if not is_readable(name, value) then
      return nil, {'MISSING'}
    end
    inventory[name] = value or nil
  end
  local seen_epoch, seen_seq = ARGV[1]:match('^%x*:(%d+)%-(%d+)')
  local ahead = seen_epoch - inventory.epoch
  if ahead > 0 or (ahead == 0 and tonumber(seen_seq) > tonumber(inventory.seq)) then
    return nil, {'BEHIND'}
  end
  return inventory
end

-- As read_inventory. An inventory that lacks what its caller has seen sells no more until a higher term begins.
local function load_inventory(...)
  local inventory, refusal = read_inventory(...)
  if refusal and refusal[1] == 'BEHIND' then
    local seen = math.max(ARGV[1]:match(':(%d+)'), redis.call('HGET', KEYS[1], 'seen') or 0)
    redis.call('HSET', KEYS[1], 'server', '', 'seen', ('%d'):format(seen))
  end
  return inventory, refusal
end

-- One change as JSON: its kind, when it was, and `members`, a format of the values that follow.
local function change_json(kind, at, members, ...)
  return ('{"kind":"' .. kind .. '","at":%d,' .. members .. '}'):format(at, ...)
end

-- Appends one change to the log: the first write of every change, and the only one that can fail. Returns the entry's
-- position. The caller stores the inventory's seq and chain, which are the entry's then. `private` is the personal data
-- beside it, if there is any: the link does not cover it, so it can be erased. Nor does it cover the trace.
local function append(inventory, change, private)
  local seq = ('%d'):format(inventory.seq + 1)
  local position = inventory.epoch .. '-' .. seq
  local link = redis.sha1hex(inventory.chain .. '\n' .. position .. '\n' .. change)
  local beside, trace = private and {'private', private} or {}, ARGV[1]:match(':(%x+%-%x+%-%x+%-%x+)$')
  if trace then
    beside[#beside + 1] = 'traceparent'
    beside[#beside + 1] = trace
  end
  redis.call('XADD', KEYS[2], position, 'change', change, 'link', link, unpack(beside))
  inventory.seq, inventory.chain = seq, link
  return position
end

-- Stores what an appended change makes of the inventory: fields and values that follow.
local function store(inventory, at, ...)
  redis.call('HSET', KEYS[1], 'seq', inventory.seq, 'chain', inventory.chain, 'updated', at, ...)
end

-- Appends one change, and stores what it makes of the inventory.
local function commit(inventory, at, change, ...)
  local position = append(inventory, change)
  store(inventory, at, ...)
  return position
end
