-- Write a checkpoint: windows as sorted sets of runs of members by event time, and deadlines. Only for the owner who
-- took the windows last, and only when they stand where he left them: a frozen owner who wakes up, or one whose
-- windows were lost, writes nothing.
-- KEYS[1]  where the windows stand: a hash of epoch, position, series   KEYS[2] deadlines, a sorted set
-- KEYS[3…] the windows' sorted sets
-- ARGV[1]  epoch of the owner   ARGV[2] position before   ARGV[3] position after   ARGV[4] `last` for the last part
--          of a checkpoint, which moves the position; `torn` when the windows are good for nothing until that one
--          comes, else `more`   ARGV[5] seconds the hash is kept   ARGV[6] and the deadlines
-- ARGV[7]  for each of KEYS[3…], big-endian: 1 byte of flags (1 begin with a clean slate, 2 the last member is notes
--          and replaces those that are there), 4 bytes seconds to keep the set, 4 bytes number of members, then of
--          each its score (8 bytes, double), 4 bytes length and itself. One packed argument, because packing a
--          hundred thousand costs the client more than all the rest.
-- ARGV[8]  deadlines: score (-inf: there is none any more), 4 bytes length and the member, one after the other
-- Returns 1, or 0 when nothing was written. The same call again, after a lost reply, changes nothing.
local stands = redis.call('HMGET', KEYS[1], 'epoch', 'position')
if stands[1] ~= ARGV[1] or (stands[2] ~= ARGV[2] and stands[2] ~= ARGV[3]) then
  return 0
end
local blob, at = ARGV[7], 1
for i = 3, #KEYS do
  local flags, keep, count
  flags, keep, count, at = struct.unpack('>BI4I4', blob, at)
  if flags % 2 == 1 then
    redis.call('UNLINK', KEYS[i])
  end
  if flags >= 2 then
    redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', '-inf')
  end
  local written = count > 0
  while count > 0 do
    -- in parts, because a call takes only so many arguments
    local part, args = math.min(count, 2000), {}
    for j = 1, part do
      args[2 * j - 1], args[2 * j], at = struct.unpack('>dI4c0', blob, at)
    end
    redis.call('ZADD', KEYS[i], unpack(args))
    count = count - part
  end
  if written then
    redis.call('EXPIRE', KEYS[i], keep)
  end
end
local timers, place = ARGV[8], 1
while place <= #timers do
  local due, member
  due, member, place = struct.unpack('>dI4c0', timers, place)
  if due == -math.huge then
    redis.call('ZREM', KEYS[2], member)
  else
    redis.call('ZADD', KEYS[2], due, member)
  end
end
if ARGV[4] == 'torn' then
  redis.call('HSET', KEYS[1], 'torn', '1')
elseif ARGV[4] == 'last' then
  redis.call('HDEL', KEYS[1], 'torn')
  redis.call('HSET', KEYS[1], 'position', ARGV[3])
  redis.call('EXPIRE', KEYS[1], ARGV[5])
  redis.call('EXPIRE', KEYS[2], ARGV[6])
end
return 1
