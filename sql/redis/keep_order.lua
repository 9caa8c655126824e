-- Make sure that what is appended from now on comes after a position, whatever Redis lost and whatever its clock says.
-- KEYS[1] stream
-- ARGV[1] milliseconds of the position   ARGV[2] its sequence number   ARGV[3] the id that comes right after it
-- Returns 1 when an empty marker had to be appended there, 0 when the stream was as far. In one step: between a look
-- at the stream and the marker others append, and Redis refuses an id that comes before the newest one.
local newest = '0-0'
if redis.call('EXISTS', KEYS[1]) == 1 then
  local about = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #about, 2 do
    if about[i] == 'last-generated-id' then
      newest = about[i + 1]
    end
  end
end
local millis, sequence = string.match(newest, '(%d+)-(%d+)')
millis, sequence = tonumber(millis) - tonumber(ARGV[1]), tonumber(sequence) - tonumber(ARGV[2])
if millis > 0 or (millis == 0 and sequence >= 0) then
  return 0
end
redis.call('XADD', KEYS[1], ARGV[3], 'm', '{}')
return 1
