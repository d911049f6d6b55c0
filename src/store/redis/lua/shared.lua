-- shared: a shared value. Anyone.
-- KEYS  1 {sh:CORP}:KEY    ARGV  none
-- Returns  {store time, version (0: absent), bytes, when they expire or ''}    Cost  O(1)
local t = now()
local s = redis.call('HMGET', KEYS[1], 'v', 'b', 'e')
if not s[1] or (s[3] and s[3] ~= '' and tonumber(s[3]) <= t) then return { t, 0, '', '' } end
return { t, tonumber(s[1]), s[2], s[3] or '' }
