-- release: empties the record, keeps the epoch. Owner. (owned -> free)
-- KEYS  1 {pNN}:state
-- ARGV  1 epoch  2 nonce
-- Returns  1 or 0 (not ours: nothing happened)
-- Cost  O(1)
local s = redis.call('HMGET', KEYS[1], 'epoch', 'nonce')
if s[1] ~= ARGV[1] or s[2] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'nonce', '', 'node', '')
return 1
