-- reserve: one message for each of several contacts of one partition, in WeCom's calendar. Anyone.
-- KEYS  1 {pNN}:r:ID (the reservation)  2 {pNN}:q (a counter hash is {pNN}:q:WINDOW:BUCKET, field = 8 bytes of
--       SHA-256 over who is counted, bucket = its first byte)
-- ARGV  limits or '': 1 day  2 week  3 month  4 member's day; then for each contact: name, 8 bytes for the contact,
--       8 bytes for contact and member or ''
-- Returns  for each contact '' (reserved) or 'WINDOW:END'
-- Cost  O(1) a contact and window: about 4 us
-- Twice  the same verdicts, nothing taken
-- The arithmetic of store/calendar.rs: days of Asia/Shanghai, weeks from Monday.
if not is(KEYS[1], 'hash') then return redis.error_reply('REFUSED ' .. KEYS[1] .. ' is no hash') end
local function split(s)
  local out = {}
  for v in string.gmatch(s, '([^,]*),') do out[#out + 1] = v end
  return out
end
local known = redis.call('HGET', KEYS[1], 'v')
if known then return split(known) end

local t = now()
local function month_of(day)
  local z = day + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400
  if month <= 2 then year = year + 1 end
  return year * 12 + month - 1
end
local function midnight(day) return day * 86400000 - 28800000 end
local day = math.floor((t + 28800000) / 86400000)
local week, month = math.floor((day + 3) / 7), month_of(day)
local next_month = day + 1
while month_of(next_month) == month do next_month = next_month + 1 end
local all = {
  { 'day', 'd' .. day, midnight(day + 1), ARGV[1], false },
  { 'week', 'w' .. week, midnight(week * 7 + 4), ARGV[2], false },
  { 'month', 'm' .. month, midnight(next_month), ARGV[3], false },
  { 'member_day', 'e' .. day, midnight(day + 1), ARGV[4], true },
}
local windows, names, last = {}, '', t
for _, w in ipairs(all) do
  if w[4] ~= '' then
    windows[#windows + 1] = w
    names = names .. w[2] .. ','
    last = math.max(last, w[3])
  end
end
local function counter(w, who) return KEYS[2] .. ':' .. w[2] .. ':' .. string.byte(who, 1) end

local out, record = {}, {}
for a = 5, #ARGV, 3 do
  local full
  for _, w in ipairs(windows) do
    local who = w[5] and ARGV[a + 2] or ARGV[a + 1]
    if who ~= '' then
      local taken = tonumber(redis.call('HGET', counter(w, who), who) or '0')
      -- Of several full windows the one that ends last decides when it is worth trying again.
      if taken >= tonumber(w[4]) and (not full or w[3] > full[3]) then full = w end
    end
  end
  if full then
    out[#out + 1] = full[1] .. ':' .. full[3]
  else
    for _, w in ipairs(windows) do
      local who = w[5] and ARGV[a + 2] or ARGV[a + 1]
      if who ~= '' then
        local key = counter(w, who)
        redis.call('HINCRBY', key, who, 1)
        redis.call('PEXPIRE', key, w[3] - t + 86400000)
      end
    end
    redis.call('HSET', KEYS[1], 'c:' .. ARGV[a], ARGV[a + 1] .. ARGV[a + 2])
    out[#out + 1] = ''
  end
end
redis.call('HSET', KEYS[1], 'v', table.concat(out, ',') .. ',', 'w', names)
redis.call('PEXPIRE', KEYS[1], last - t + 86400000)
return out
