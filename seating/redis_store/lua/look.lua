#!lua flags=no-writes
-- An inventory as of one moment.
-- Uses prelude.lua
-- Uses claims.lua
-- Uses looking.lua
-- KEYS  1 inventory  2 log
-- ARGV  1 caller  2… names of fields
-- Reply as looking.lua has it
return look()
