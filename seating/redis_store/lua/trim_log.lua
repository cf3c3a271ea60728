#!lua flags=allow-oom
-- Trims a log whose event nobody acknowledges: a quiet one, or one whose SQL is away while memory is short.
-- Uses log_keeping.lua
-- KEYS  1 inventory  2 log
-- ARGV  1 caller  2 ms for which entries are kept  3 percent of maxmemory up to which they are
--       4 newest entries to keep always
-- Reply how many entries are left
local seq, persisted = unpack(redis.call('HMGET', KEYS[1], 'seq', 'persisted'))
if seq then
  trim_log(now_ms(), seq - persisted + 1, ARGV[2], ARGV[3], ARGV[4])
end
return redis.call('XLEN', KEYS[2])
