-- The only clock of the scripts, in ms since 1970: read once a script, since it may move while the script runs.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
