-- beat: shows the other gateways that the owner lives. Owner. (owned -> owned)
-- KEYS  1 {pNN}:state
-- ARGV  1 epoch  2 nonce
-- Returns  {1 or 0 (not ours any more), store time}
-- Cost  O(1)
local s = redis.call('HMGET', KEYS[1], 'epoch', 'nonce')
if s[1] ~= ARGV[1] or s[2] ~= ARGV[2] then return { 0, now() } end
redis.call('HINCRBY', KEYS[1], 'beats', 1)
return { 1, now() }
