-- Numbers: integers that wrap, floats and their text, libm, loops long enough to count.
print(math.maxinteger + 1 == math.mininteger, math.maxinteger // -1, math.mininteger // -1, 7 // -2, 7 % -2, -7 % 2)
print(7.5 // 2, -7.5 % 2, 1 / 0, -1 / 0, 0 / 0 ~= 0 / 0, 2^53, 10 // 0.0, pcall(function() return 1 // 0 end))
print(0xff, 0x1p4, 1e15, 1e16, 1e100, 123456789012345678, 0.1, 1 / 3, -0.0, 3.0, 2^63)
print(5 & 3, 5 | 3, 5 ~ 3, ~5, 1 << 62, 1 << 63, 1 << 64, -1 >> 1, "10" + 5, "0x10" * 2, 10 .. 20)
print(math.type(1), math.type(1.0), math.type("1"), math.tointeger(3.0), math.tointeger(3.5), 3 | 0, pcall(function() return 3.5 | 0 end))
for _, format in ipairs {"%d", "%5d|", "%-5d|", "%05d", "%+d", "%x", "%X", "%o", "%c", "%i"} do io.write(format:format(97), " ") end
print()
for _, format in ipairs {"%f", "%.3f", "%10.2f|", "%-10.2f|", "%e", "%.10e", "%g", "%.17g", "%a", "%G", "%+.1f"} do
  for _, value in ipairs {math.pi, 1e-10, 123456.789, -0.5, 1e300} do io.write(format:format(value), " ") end
  print()
end
for _, name in ipairs {"sin", "cos", "tan", "asin", "acos", "atan", "exp", "sqrt", "floor", "ceil", "abs", "log"} do
  io.write(name, " ", ("%.14g"):format(math[name](0.7)), " ")
end
print()
print(math.log(8, 2), math.log(1000, 10), math.fmod(7, -3), math.fmod(-7.5, 2), math.modf(3.7), math.ult(1, -1))
print(math.max(3, 7.5, -1), math.min(3, 7.5, -1), tostring(1e15), tonumber("z", 36), tonumber("  12  "), tonumber("1e"), tonumber("0x.8p1"))

local primes, composite = 0, {}
for i = 2, 100000 do
  if not composite[i] then
    primes = primes + 1
    for j = i * i, 100000, i do composite[j] = true end
  end
end
print(primes)

local function mandelbrot(size)
  local inside = 0
  for py = 0, size - 1 do
    for px = 0, size - 1 do
      local cx, cy, x, y, n = px * 3 / size - 2, py * 2 / size - 1, 0.0, 0.0, 0
      while n < 50 and x * x + y * y < 4 do x, y, n = x * x - y * y + cx, 2 * x * y + cy, n + 1 end
      if n == 50 then inside = inside + 1 end
    end
  end
  return inside
end
print(mandelbrot(120))
math.randomseed(42)
local a = math.random(1, 1 << 40)
math.randomseed(42)
assert(a == math.random(1, 1 << 40))
for i = 3, 1, -1 do io.write(i, " ") end
for i = 1.0, 2.0, 0.25 do io.write(i, " ") end
for i = math.maxinteger - 1, math.maxinteger do io.write(i, " ") end
print(pcall(function() for i = 1, 10, 0 do end end))
