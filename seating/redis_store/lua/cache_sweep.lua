#!lua flags=allow-oom
-- Drops entries that are due.
-- Uses cache_entries.lua
-- ARGV  2 how many at most
-- Reply how many
return drop_due(now_ms(), ARGV[2])
