-- Append one client's events once: an `Idempotency-Key` seen before gets the answer given then, and events
-- whose ids were seen before are left out.
-- KEYS[1] stream   KEYS[2] answer key (unused when ARGV[3] is '')   KEYS[3…] one per event: its id's key;
--         none at all when the ids are ours
-- ARGV[1] seconds to remember   ARGV[2] remembered with each id   ARGV[3] answer to remember, or ''
-- ARGV[4] most events in one entry   ARGV[5] number of strings of the entry's fields before the events
-- ARGV[6…] those strings, then the msgpack-encoded events, in the order of KEYS[3…]
-- Returns {1, ''} when appended, {0, answer} when the key was seen before.
-- The same call again, after a lost reply, appends nothing: key and ids are known by then.
local ttl = ARGV[1]
if ARGV[3] ~= '' then
  local before = redis.call('GET', KEYS[2])
  if before then
    return {0, before}
  end
  redis.call('SET', KEYS[2], ARGV[3], 'EX', ttl)
end
local strings = tonumber(ARGV[5])
local first = 6 + strings
local fields = {}
for i = 6, 5 + strings do
  fields[#fields + 1] = ARGV[i]
end
fields[#fields + 1] = 'e'
local batch = {}
local function flush()
  if #batch == 0 then
    return
  end
  local n = #batch
  -- msgpack: array 16 header, then the elements as they are
  local head = string.char(0xdc, math.floor(n / 256), n % 256)
  fields[#fields + 1] = head .. table.concat(batch)
  redis.call('XADD', KEYS[1], '*', unpack(fields))
  fields[#fields] = nil
  batch = {}
end
for i = first, #ARGV do
  local id = KEYS[3 + i - first]
  if not id or redis.call('SET', id, ARGV[2], 'NX', 'EX', ttl) then
    batch[#batch + 1] = ARGV[i]
    if #batch == tonumber(ARGV[4]) then
      flush()
    end
  end
end
flush()
return {1, ''}
