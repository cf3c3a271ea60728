#!lua flags=allow-oom
-- Looks an entry up; finding it makes it the one used last. An entry that is due is not found, and left to the sweep.
-- Uses cache_entries.lua
-- ARGV  2 key  3 '1', or '0' for a look that is nobody's request
--       4 answers given since the caller's last look  5 how long they took together, in µs
-- Reply {entries kept, value} | {entries kept}
if ARGV[4] ~= '0' then
  count('answers', ARGV[4])
  count('answers_us', ARGV[5])
end
local value, due = find(ARGV[2])
local kept = redis.call('ZCARD', KEYS[2])
if not value or due <= now_ms() then
  return {kept}
end
redis.call('ZADD', KEYS[2], count('accesses', 1), ARGV[2])
if ARGV[3] == '0' then
  count('unasked', 1)
end
return {kept, value}
