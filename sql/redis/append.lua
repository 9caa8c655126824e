-- Append entries to a partition's stream, once for each token.
-- KEYS[1] stream   KEYS[2] token
-- ARGV[1] seconds the token is remembered; then for each entry its number of strings, followed by them
--         (field, value, field, value, …)
-- Returns 1 when appended, 0 when this token was appended before.
if not redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[1]) then
  return 0
end
local at = 2
while at <= #ARGV do
  local strings = tonumber(ARGV[at])
  redis.call('XADD', KEYS[1], '*', unpack(ARGV, at + 1, at + strings))
  at = at + 1 + strings
end
return 1
