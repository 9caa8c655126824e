-- Write window checkpoints: sorted sets of event ids by event time. Only for the owner who took the windows last, and
-- only when they stand where he left them: a frozen owner who wakes up, or one whose windows were lost, writes nothing.
-- KEYS[1]  where the windows stand: a hash of epoch, position, series   KEYS[2…] the windows' sorted sets
-- ARGV[1]  epoch of the owner   ARGV[2] position before   ARGV[3] position after   ARGV[4] 1 in the last part of a
--          checkpoint, which moves the position   ARGV[5] seconds the hash is kept
-- ARGV[6]  for each of KEYS[2…], big-endian: 1 byte whether to begin with a clean slate, 4 bytes seconds to keep the
--          set, 4 bytes number of new members, then of each its score (8 bytes, double) and its 16-byte id. One
--          packed argument, because packing a hundred thousand costs the client more than all the rest.
-- Returns 1, or 0 when nothing was written. The same call again, after a lost reply, changes nothing.
local stands = redis.call('HMGET', KEYS[1], 'epoch', 'position')
if stands[1] ~= ARGV[1] or (stands[2] ~= ARGV[2] and stands[2] ~= ARGV[3]) then
  return 0
end
local blob, at = ARGV[6], 1
for i = 2, #KEYS do
  local rewrite, keep, count
  rewrite, keep, count, at = struct.unpack('>BI4I4', blob, at)
  if rewrite == 1 then
    redis.call('UNLINK', KEYS[i])
  end
  while count > 0 do
    -- in parts, because a call takes only so many arguments
    local part, args = math.min(count, 2000), {}
    for j = 1, part do
      args[2 * j - 1], args[2 * j], at = struct.unpack('>dc16', blob, at)
    end
    redis.call('ZADD', KEYS[i], unpack(args))
    count = count - part
    if count == 0 then
      redis.call('EXPIRE', KEYS[i], keep)
    end
  end
end
if ARGV[4] == '1' then
  redis.call('HSET', KEYS[1], 'position', ARGV[3])
  redis.call('EXPIRE', KEYS[1], ARGV[5])
end
return 1
