; Addresses of blocks in constant data, of a function that is called before the table is used.
; stdout: 30
@table = internal constant [2 x ptr] [ptr blockaddress(@pick, %ten), ptr blockaddress(@pick, %twenty)]
@format = private constant [4 x i8] c"%d\0A\00"
declare i32 @printf(ptr, ...)

define i32 @pick(i32 %n) noinline {
  %slot = getelementptr [2 x ptr], ptr @table, i32 0, i32 %n
  %target = load ptr, ptr %slot
  indirectbr ptr %target, [label %ten, label %twenty]
ten:
  ret i32 10
twenty:
  ret i32 20
}

define i32 @main() {
  %a = call i32 @pick(i32 0)
  %b = call i32 @pick(i32 1)
  %c = add i32 %a, %b
  call i32 (ptr, ...) @printf(ptr @format, i32 %c)
  ret i32 0
}
