-- freeze: nothing of a scope before a time; a shorter pause never replaces a longer one. Anyone.
-- KEYS  1 {lim:CORP}:f:SCOPE    ARGV  1 pause in ms
-- Returns  until when it is frozen now    Cost  O(1)    Twice  the later time
local t = now()
local was, til = tonumber(redis.call('GET', KEYS[1]) or '0'), t + tonumber(ARGV[1])
if was >= til then return was end
redis.call('SET', KEYS[1], til, 'PX', math.max(til - t, 1))
return til
