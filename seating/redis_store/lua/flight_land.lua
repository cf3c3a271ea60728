#!lua
-- Publishes the outcome of a flight, if there is one, to those who follow it, and ends it, if the caller has the lease.
-- KEYS  1 flight  2 outcome of the flight with this token
-- ARGV  1 caller (ignored)  2 the holder's token  3 outcome, or ''  4 for how long it can be read, in ms
-- Reply 1 | 0 (the lease lapsed: whoever followed has given this flight up), which nobody reads
if redis.call('GET', KEYS[1]) ~= ARGV[2] then
  return 0
end
if ARGV[3] ~= '' then
  redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
end
return redis.call('DEL', KEYS[1])
