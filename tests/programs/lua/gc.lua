-- The collector under pressure: weak tables, finalisers, resurrection, both modes.
local function churn(rounds)
  local keep = {}
  for i = 1, rounds do
    keep[i % 100 + 1] = {i, tostring(i), function() return i end, {nested = {i}}}
    if i % 1000 == 0 then keep = {} end
  end
  return #keep
end

for _, mode in ipairs {"incremental", "generational", "incremental"} do
  collectgarbage(mode)
  churn(60000)
  collectgarbage()
end

local weak = setmetatable({}, {__mode = "v"})
local strong = {}
for i = 1, 1000 do
  weak[i] = {i}
  if i % 10 == 0 then strong[#strong + 1] = weak[i] end
end
collectgarbage()
local left = 0
for _ in pairs(weak) do left = left + 1 end
print(left, #strong)

local ephemeron = setmetatable({}, {__mode = "k"})
for i = 1, 100 do local key = {} ephemeron[key] = {key} end
collectgarbage()
print(next(ephemeron))

local finalised, again = 0, nil
for i = 1, 500 do setmetatable({}, {__gc = function(o) finalised = finalised + 1 again = o end}) end
collectgarbage()
collectgarbage()
print(finalised, type(again))
again = nil

local before = collectgarbage("count")
local big = {}
for i = 1, 200 do big[i] = ("x"):rep(10000) .. i end
assert(collectgarbage("count") > before + 1900)
big = nil
collectgarbage()
print(collectgarbage("count") < before + 200)

collectgarbage("stop")
assert(not collectgarbage("isrunning"))
collectgarbage("restart")
while not collectgarbage("step", 10) do end
print(collectgarbage("isrunning"))
setmetatable({}, {__gc = function() print("finalised at the end") end})
