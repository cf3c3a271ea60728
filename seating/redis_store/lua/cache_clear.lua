#!lua flags=allow-oom
-- Forgets all entries.
-- Uses cache_entries.lua
-- ARGV  2 '1' to begin all counters at zero, '0' to keep them
-- Reply how many entries there were
local entries = redis.call('ZCARD', KEYS[2])
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3])
if ARGV[2] == '1' then
  redis.call('UNLINK', KEYS[4])
else
  redis.call('HSET', KEYS[4], 'bytes', 0)
end
return entries
