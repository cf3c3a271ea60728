#!lua flags=allow-oom
-- Adds to counters that are kept for the metrics.
-- KEYS  1 counts
-- ARGV  1 caller  2 the field that gets the time, in ms, or ""  3… fields, each with what to add
-- Reply 1
for i = 3, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1])
end
if ARGV[2] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[2], now_ms())
end
return 1
