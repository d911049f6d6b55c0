-- compare_and_set: sets or deletes a shared value if its version is still the one named. Anyone.
-- KEYS  1 {sh:CORP}:KEY  2 {sh:CORP}#version (never expires: no version comes back)
-- ARGV  1 version  2 '1' set or '0' delete  3 bytes  4 ttl in ms, '' for ever
-- Returns  1, or 0: it has another version    Cost  O(1)    Twice  0 the second time
local t = now()
local s = redis.call('HMGET', KEYS[1], 'v', 'e')
local version = s[1] or '0'
if s[2] and s[2] ~= '' and tonumber(s[2]) <= t then version = '0' end
if version ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
  return 1
end
local ver = redis.call('INCR', KEYS[2])
local expires = ''
if ARGV[4] ~= '' then expires = t + tonumber(ARGV[4]) end
redis.call('HSET', KEYS[1], 'v', ver, 'b', ARGV[3], 'e', expires)
if expires == '' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], math.max(tonumber(ARGV[4]), 1)) end
return 1
