#!lua
-- Lets a request pass or refuses it.
-- Uses limits.lua
-- KEYS  1 limit
-- ARGV  1 caller (ignored)  2 'window' or 'bucket'  3… its numbers
-- Reply a verdict
return take(KEYS[1], 2, now_ms())
