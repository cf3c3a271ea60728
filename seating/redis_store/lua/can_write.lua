#!lua
-- Does nothing, but declares by its flags that it may write: Redis refuses to run it where it would refuse a change, as
-- a replica (READONLY), without enough replicas (NOREPLICAS), at maxmemory (OOM) and when its disk fails (MISCONF). It
-- costs no fsync. Before its first write, a script without flags is not refused.
-- KEYS  none
-- ARGV  1 caller
-- Reply 1
return 1
