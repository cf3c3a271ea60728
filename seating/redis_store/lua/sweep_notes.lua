#!lua flags=allow-oom
-- Drops notes of ended holds that are over, from some of the values that have them; another second, from others.
-- Uses hold_keys.lua
-- KEYS  1 inventory  2 log  3 seats  4 run  5 hold  6 holds  7 holders  8 damaged  9 idempotency  10 notes
-- ARGV  1 caller
-- Reply bytes of notes that were looked at
local MOST_BYTES = 1000000

local firsts, at, bytes = redis.call('HKEYS', KEYS[10]), now_ms(), 0
table.sort(firsts)
for i = 1, #firsts do
  local first = firsts[(i + math.floor(at / 1000)) % #firsts + 1]
  bytes = bytes + redis.call('HSTRLEN', KEYS[10], first)
  write_notes(first, notes_in(first, at))
  if bytes >= MOST_BYTES then
    break
  end
end
return bytes
