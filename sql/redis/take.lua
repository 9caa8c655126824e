-- Take a partition's windows over: from now on only this epoch may write them.
-- KEYS[1] where the windows stand: a hash of epoch, position, series
-- ARGV[1] epoch of the new owner   ARGV[2] name of a new series   ARGV[3] 1 to begin a new series in any case
-- ARGV[4] seconds the hash is kept
-- Returns {position, series}. A new series stands at 0: there are no windows in it, whatever is left of older ones.
local stands = redis.call('HMGET', KEYS[1], 'epoch', 'position', 'series', 'torn')
local position, series = stands[2], stands[3]
-- Windows of an epoch that is yet to come are from before Postgres was set back; torn ones are neither those of their
-- position nor those of the next: their owner died while it wrote them.
if ARGV[3] == '1' or not stands[1] or stands[4] or tonumber(stands[1]) > tonumber(ARGV[1]) then
  position, series = '0', ARGV[2]
  redis.call('HDEL', KEYS[1], 'torn')
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'position', position, 'series', series)
redis.call('EXPIRE', KEYS[1], ARGV[4])
return {position, series}
