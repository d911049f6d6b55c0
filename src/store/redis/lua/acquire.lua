-- acquire: replaces an ownership record that is still as seen. Anyone. (free or silent -> owned)
-- KEYS  1 {pNN}:state  2 {pNN}:seq
-- ARGV  seen: 1 epoch  2 nonce  3 node  4 beats; ours: 5 nonce  6 node
-- Returns  {epoch, position, head, store time}, or nil if somebody was faster
-- Cost  O(1)
-- Twice  the second finds its own record, not the one it saw: nil
local s = redis.call('HMGET', KEYS[1], 'epoch', 'nonce', 'node', 'beats', 'pos')
local head = tonumber(redis.call('GET', KEYS[2]) or '0')
if (s[1] or '0') ~= ARGV[1] or (s[2] or '') ~= ARGV[2] or (s[3] or '') ~= ARGV[3] or (s[4] or '0') ~= ARGV[4] then
  return false
end
local epoch = tonumber(ARGV[1]) + 1
redis.call('HSET', KEYS[1], 'epoch', epoch, 'nonce', ARGV[5], 'node', ARGV[6], 'beats', 0)
return { epoch, tonumber(s[5] or '0'), head, now() }
