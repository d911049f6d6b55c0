-- settle: ends a reservation and gives back what was reserved for some of its contacts. Anyone.
-- KEYS  1 {pNN}:r:ID  2 {pNN}:q (as in reserve.lua)
-- ARGV  contacts to refund
-- Returns  how many were refunded
-- Cost  O(1) a contact and window
-- Twice  nothing. The verdicts are remembered for a day, so that a late repeat of the reservation takes nothing.
local windows = redis.call('HGET', KEYS[1], 'w')
if not windows or redis.call('HEXISTS', KEYS[1], 's') == 1 then return 0 end
local refunded = 0
for _, contact in ipairs(ARGV) do
  local who = redis.call('HGET', KEYS[1], 'c:' .. contact)
  if who then
    redis.call('HDEL', KEYS[1], 'c:' .. contact)
    refunded = refunded + 1
    for w in string.gmatch(windows, '([^,]*),') do
      local field = string.sub(w, 1, 1) == 'e' and string.sub(who, 9, 16) or string.sub(who, 1, 8)
      if field ~= '' then
        local key = KEYS[2] .. ':' .. w .. ':' .. string.byte(field, 1)
        -- A window that has ended took its counter with it.
        if tonumber(redis.call('HGET', key, field) or '0') > 0 then redis.call('HINCRBY', key, field, -1) end
      end
    end
  end
end
redis.call('HSET', KEYS[1], 's', 1)
redis.call('PEXPIRE', KEYS[1], 86400000)
return refunded
