#!lua flags=allow-oom
-- Holds a lease for longer, if it is still the caller's.
-- KEYS  1 flight
-- ARGV  1 caller (ignored)  2 the holder's token  3 for how long from now, in ms
-- Reply 1 | 0 (it lapsed)
if redis.call('GET', KEYS[1]) ~= ARGV[2] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[3])
