-- Prefix of every script: time, type check, one journal entry. No keys, arguments or cost of its own.

-- Store time in milliseconds. (Tests replace this line by one that reads a key.)
local function now() local t = redis.call('TIME') return t[1] * 1000 + math.floor(t[2] / 1000) end

-- True if the key is of this type or absent. Asked before the first write: Redis does not roll back.
local function is(key, want)
  local t = redis.call('TYPE', key).ok
  return t == want or t == 'none'
end

-- Appends one entry, after its mark; returns its number, or 0 if the mark is known.
--   marks   prefix of the mark sets, '{pNN}:m:'
--   kind    '' (no mark), else the letter of the mark's kind
--   hash    63 bits in decimal: kept as an integer set (10 bytes a mark up to 512 in a bucket)
--   bucket  0..255
--   keep    milliseconds of a generation: this one and the one before are asked, so it is known 1-2 of them
--   again   '1': a known mark is written again, so that WAIT covers the earlier write
-- All that can fail fails before the entry is there, and takes back what was written before it.
local function append(seq, journal, marks, kind, hash, bucket, keep, again, at, t, blob)
  local set
  if kind ~= '' then
    local generation = math.floor(t / keep)
    if redis.call('SISMEMBER', marks .. kind .. ':' .. (generation - 1) .. ':' .. bucket, hash) == 1 then
      if again == '1' then
        redis.call('PEXPIRE', marks .. kind .. ':' .. (generation - 1) .. ':' .. bucket, keep)
      end
      return 0
    end
    set = marks .. kind .. ':' .. generation .. ':' .. bucket
    if redis.call('SADD', set, hash) == 0 then
      if again == '1' then redis.call('PEXPIRE', set, keep * 2) end
      return 0
    end
    if redis.call('SCARD', set) == 1 then redis.call('PEXPIRE', set, keep * 2) end
  end
  local n = redis.pcall('INCR', seq)
  if type(n) ~= 'table' then
    local added = redis.pcall('XADD', journal, n .. '-0', 't', at, 'b', blob)
    if type(added) ~= 'table' or not added.err then return n end
    redis.call('DECR', seq)
    n = added
  end
  if set then redis.call('SREM', set, hash) end
  error(n.err)
end
