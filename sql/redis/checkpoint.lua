-- Write window checkpoints: sorted sets of event ids by event time.
-- KEYS     the windows' sorted sets
-- ARGV[1]  for each of KEYS, big-endian: 1 byte whether to begin with a clean slate, 4 bytes seconds to keep the
--          set, 4 bytes number of new members, then of each its score (8 bytes, double) and its 16-byte id. One
--          packed argument, because packing a hundred thousand costs the client more than all the rest.
local blob, at = ARGV[1], 1
for _, key in ipairs(KEYS) do
  local rewrite, keep, count
  rewrite, keep, count, at = struct.unpack('>BI4I4', blob, at)
  if rewrite == 1 then
    redis.call('UNLINK', key)
  end
  while count > 0 do
    -- in parts, because a call takes only so many arguments
    local part, args = math.min(count, 2000), {}
    for i = 1, part do
      args[2 * i - 1], args[2 * i], at = struct.unpack('>dc16', blob, at)
    end
    redis.call('ZADD', key, unpack(args))
    count = count - part
    if count == 0 then
      redis.call('EXPIRE', key, keep)
    end
  end
end
