-- What the scripts on a cache share.
--   KEYS  1 values (hash: key → when it is due, in ms since 1970, '|', value)   2 order (zset: key by its last access)
--         3 due (zset: key by when it is due)   4 counters (hash)
--   ARGV[1] is the caller that every script gets; a cache outlives its server and ignores it.
-- Counters: `accesses` numbers them, for the order; those of `unasked` were no hits; `bytes` sums the entries' sizes;
-- `evictions`, `expirations`; `answers` and how many µs they took together, `answers_us`; `misses` and `coalesced`.
-- Invariant: values, order and due hold the same keys; `bytes` is the length of those keys and of what values holds.

local function count(name, by)
  return redis.call('HINCRBY', KEYS[4], name, by)
end

-- Value and when it is due; nothing for a key that is not kept, or under which no cache has put what is there.
local function find(key)
  local due, value = (redis.call('HGET', KEYS[1], key) or ''):match('^(%d+)|(.*)$')
  return value, tonumber(due)
end

local function drop(key)
  local length = redis.call('HSTRLEN', KEYS[1], key)
  redis.call('HDEL', KEYS[1], key)
  redis.call('ZREM', KEYS[2], key)
  redis.call('ZREM', KEYS[3], key)
  if length > 0 then
    count('bytes', -length - #key)
  end
end

-- Drops at most `at_most` entries that are due and says how many.
local function drop_due(now, at_most)
  local due = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, at_most)
  for _, key in ipairs(due) do
    drop(key)
  end
  if #due > 0 then
    count('expirations', #due)
  end
  return #due
end
