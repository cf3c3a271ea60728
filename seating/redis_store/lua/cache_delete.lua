#!lua flags=allow-oom
-- Forgets one entry.
-- Uses cache_entries.lua
-- ARGV  2 key
-- Reply 1 if it was kept, else 0
return drop(ARGV[2]) and 1 or 0
