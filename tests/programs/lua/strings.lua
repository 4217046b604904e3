-- Strings: patterns, formatting, packing, UTF-8, building and interning.
print(("hello world"):find("o w"), ("hello"):find("l", 1, true), ("hello"):match("(h)(.)"), ("key = value"):match("^(%w+)%s*=%s*(%w+)$"))
print(("abc"):gsub("%w", "%0%0"), ("abc def"):gsub("%w+", string.upper), ("$name is $age"):gsub("%$(%w+)", {name = "Lua", age = 30}))
print(("THE (quick) fox"):find("%((%a+)%)"), ("f(a(b)c)d"):match("%b()"), ("THE (quick) fox"):gsub("%f[%a]%a+", "<%0>"))
print(("x"):rep(5, "-"), ("abc"):reverse(), ("Hello"):upper(), ("Hello"):lower(), #"a\0b", ("abc"):byte(1, -1))
print(("%q"):format('a "quoted"\n\0string'), ("%s|%10s|%-10s|%.2s"):format("a", "b", "c", "defg"), ("%5.1f|%05d|%x"):format(3.14159, 42, 255))
for word in ("one two  three"):gmatch("%S+") do io.write("[", word, "]") end
for k, v in ("a=1, b=2, c=3"):gmatch("(%w+)=(%w+)") do io.write(k, v, ";") end
print()
print(pcall(string.rep, "x", -1), pcall(string.find, "a", "[a"), pcall(string.gsub, "a", "(", ""), pcall(string.format, "%d", 1.5))
print(string.pack("<i4 >i2 z s1 d", 100, -2, "zero", "len", 0.5):byte(1, -1))
print(string.unpack("<i4 >i2 z s1 d", string.pack("<i4 >i2 z s1 d", 100, -2, "zero", "len", 0.5)))
print(utf8.char(72, 228, 8364, 128512), utf8.len("häß€"), #utf8.char(128512), utf8.codepoint("€", 1), utf8.offset("a€b", 3))
for position, code in utf8.codes("aé€") do io.write(position, ":", code, " ") end
print(utf8.len("\xff"))

local parts = {}
for i = 1, 20000 do parts[i] = ("%d:%s"):format(i, ("x"):rep(i % 7)) end
local text = table.concat(parts, ",")
print(#text, select(2, text:gsub("x+", "")), (text:sub(-20)))
local interned = {}
for i = 1, 5000 do interned["key" .. i] = i end
local sum = 0
for i = 1, 5000 do sum = sum + interned["key" .. tostring(i)] end
print(sum)
local hash = 0
for i = 1, #text do hash = (hash * 31 + text:byte(i)) & 0xffffffff end
print(hash)
print(("abc") < ("abd"), ("a") < ("B"), ("") < ("a"), ("10") < ("9"), "a\z
       b", '\x41\65\u{41}', [[
long
string]])
print(tostring(nil), tostring(true), tostring(12), tostring(1.5), #tostring(print) > 0)
