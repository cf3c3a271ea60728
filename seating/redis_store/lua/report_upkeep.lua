#!lua flags=allow-oom
-- Stores what the cron saw, for as long as it tells that there is a cron.
-- KEYS  1 upkeep
-- ARGV  1 caller  2 the report, as JSON  3 ms to keep it
-- Reply 1
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
