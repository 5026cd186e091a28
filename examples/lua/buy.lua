-- A program that buys a reward for points, in LuaJIT with its ffi. Arguments: URL, root certificate,
-- key, the absolute path of the journal, and the path of the native library.

local ffi = require("ffi")

-- The declarations of engage_point_shop.h, without its macros.
ffi.cdef [[
typedef struct eps_client eps_client;
typedef struct { char *data; size_t len; size_t reserved; } eps_buffer;
int32_t eps_client_open(uint32_t abi, const char *config_json, eps_client **client, eps_buffer *out);
int32_t eps_client_close(eps_client *client);
int32_t eps_find_contact(eps_client *client, const char *key, const char *value, const char *options_json, eps_buffer *out);
int32_t eps_purchase(eps_client *client, const char *contact_id, const char *item_id, const char *options_json, eps_buffer *out);
int32_t eps_acknowledge(eps_client *client, const char *operation_id, eps_buffer *out);
int32_t eps_outcome(int32_t code);
const char *eps_code_action(int32_t code);
int32_t eps_json_get(const eps_buffer *buffer, const char *pointer, eps_buffer *out);
int32_t eps_json_quote(const char *text, eps_buffer *out);
void eps_buffer_dispose(eps_buffer *buffer);
uint32_t eps_abi_version(void);
]]

local url, ca, key, journal, library = ...
local eps = ffi.load(library)
local ABI, OK = 1, 0
local COMPLETED, DECLINED, PENDING = 0, 1, 2
assert(eps.eps_abi_version() == ABI, "another version of the library")

-- Copies a result and gives its buffer back to the library.
local function taken(out)
  local text = ffi.string(out.data, out.len)
  eps.eps_buffer_dispose(out)
  return text
end

-- Writes a text as JSON. No text can set another key.
local function quoted(text)
  local out = ffi.new("eps_buffer")
  assert(eps.eps_json_quote(text, out) == OK)
  return taken(out)
end

-- Returns one value of a result, unquoted.
local function value(json, pointer)
  local from, out = ffi.new("eps_buffer"), ffi.new("eps_buffer")
  from.data, from.len = ffi.cast("char *", json), #json
  local code = eps.eps_json_get(from, pointer, out)
  local text = taken(out)
  return code == OK and text or nil
end

-- Ends the program with the message of a problem.
local function expect_ok(code, result)
  if code == OK then return end
  io.stderr:write(value(result, "/message") or "the library has no message", "\n")
  os.exit(1)
end

local out, client = ffi.new("eps_buffer"), ffi.new("eps_client *[1]")
local config = '{"userAgent": "ExampleTill/1.0", "baseUrl": ' .. quoted(url) .. ', "caFile": ' .. quoted(ca)
  .. ', "apiKey": ' .. quoted(key) .. ', "journalPath": ' .. quoted(journal) .. "}"
local code = eps.eps_client_open(ABI, config, client, out)
local result = taken(out)
expect_ok(code, result)
-- The garbage collector closes a client that is forgotten.
local shop = ffi.gc(client[0], eps.eps_client_close)

code = eps.eps_find_contact(shop, "email", "astrid@example.com", nil, out)
result = taken(out)
expect_ok(code, result)
local contact = value(result, "")

code = eps.eps_purchase(shop, contact, "b0000000-0000-4000-8000-000000000001",
  '{"waitMs": 8000, "reference": ' .. quoted("lua å 1") .. "}", out)
result = taken(out)
local outcome = eps.eps_outcome(code)
if outcome == COMPLETED then
  code = eps.eps_acknowledge(shop, value(result, "/operationId"), out)
  result = taken(out)
  expect_ok(code, result)
  print("bought")
elseif outcome == PENDING then
  print("pending: let the sale go on")
elseif outcome == DECLINED and ffi.string(eps.eps_code_action(code)) == "tellMember" then
  print("declined: nothing was deducted")
else
  print("not available now: " .. value(result, "/message"))
end
eps.eps_client_close(ffi.gc(shop, nil))
