#!lua
-- Keeps a value, as the one used last; what is due goes first, then what was used longest ago, until it fits.
-- Uses cache_entries.lua
-- ARGV  2 key  3 value  4 lifetime, in ms  5 capacity, in entries  6 capacity, in bytes
--       7 'absent' leaves an entry that is not due as it is, 'always' replaces it
-- Reply {1 if it is kept now, else 0; entries kept}
-- Invariant: never more entries or bytes than the capacity. (Without the flag `allow-oom`, Redis runs none of this when
-- it has no memory left.)
local DUE_AT_ONCE = 200

local key, now = ARGV[2], now_ms()
drop_due(now, DUE_AT_ONCE)
local _, due = find(key)
if ARGV[7] == 'absent' and due and due > now then
  return {0, redis.call('ZCARD', KEYS[2])}
end
drop(key)

local kept = string.format('%d|', now + ARGV[4]) .. ARGV[3]
local size, capacity = #key + #kept, tonumber(ARGV[6])
if size > capacity then
  return {0, redis.call('ZCARD', KEYS[2])}
end
local bytes, entries = tonumber(count('bytes', 0)), redis.call('ZCARD', KEYS[2])
while entries >= tonumber(ARGV[5]) or bytes + size > capacity do
  local oldest = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
  if not oldest then  -- Somebody removed a part of the cache, which `bytes` still counts: it begins anew.
    redis.call('UNLINK', KEYS[1], KEYS[3])
    redis.call('HSET', KEYS[4], 'bytes', 0)
    entries = 0
    break
  end
  drop(oldest)
  count('evictions', 1)
  bytes, entries = count('bytes', 0), entries - 1
end
redis.call('HSET', KEYS[1], key, kept)
redis.call('ZADD', KEYS[2], count('accesses', 1), key)
count('unasked', 1)
redis.call('ZADD', KEYS[3], now + ARGV[4], key)
count('bytes', size)
return {1, entries + 1}
