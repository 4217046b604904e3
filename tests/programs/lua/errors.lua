-- Errors: each is a longjmp out of as many frames as there are between it and its pcall.
local function deep(n) if n == 0 then error("bottom", 0) end return 1 + deep(n - 1) end
for depth = 1, 150, 7 do
  local ok, message = pcall(deep, depth)
  assert(not ok and message == "bottom")
end

local count = 0
for i = 1, 20000 do
  local ok, value = pcall(function() if i % 2 == 0 then error(i) end return -i end)
  count = count + (ok and 1 or value)
end
print(count)

print(pcall(function() return nil + 1 end))
print(pcall(function() local t = {} return t.x.y end))
print(pcall(function() return #5 end))
print(pcall(function() return {} < {} end))
print(pcall(function() return ("x"):rep(-1) .. nil end))
print(pcall(string.rep))
print(pcall(string.rep, "x", 1 << 60))
print(pcall(error, setmetatable({}, {__tostring = function() return "an object" end})))
print(select("#", pcall(error)))
print(xpcall(function() error("one", 0) end, function(message) return message .. " handled" end))
print(xpcall(function(...) return select("#", ...) end, print, 1, 2, 3))

-- An error inside a handler, and the end of the C stack.
print((xpcall(function() error("x") end, function() error("y") end)))
local function endless() return endless() + 1 end
local ok, message = pcall(endless)
print(ok, message:match("stack overflow"))
local nested = setmetatable({}, {})
getmetatable(nested).__index = function(t, k) return t[k + 1] end
print((pcall(function() return nested[1] end)))

local t = setmetatable({}, {__index = function(_, key) error("no field " .. key, 2) end})
print(pcall(function() return t.missing end))
print(pcall(assert, false))
print(pcall(assert, nil, "said so"))
print(tostring(select(2, pcall(error, nil))))
print((debug.traceback("here", 1):gsub("\n.*", "")))
