; Differences of addresses in constant data (relative tables, as Swift and relative vtables have): 32 bits, no relocation left.
; stdout: 42 7
@numbers = internal constant [2 x i32] [i32 42, i32 7]
@relative = internal constant [2 x i32] [i32 trunc (i64 sub (i64 ptrtoint (ptr @numbers to i64), i64 ptrtoint (ptr @relative to i64)) to i32), i32 trunc (i64 sub (i64 ptrtoint (ptr getelementptr ([2 x i32], ptr @numbers, i32 0, i32 1) to i64), i64 ptrtoint (ptr @relative to i64)) to i32)]
@format = private constant [7 x i8] c"%d %d\0A\00"
declare i32 @printf(ptr, ...)

define i32 @main() {
  %o0 = load i32, ptr @relative
  %o1 = load i32, ptr getelementptr ([2 x i32], ptr @relative, i32 0, i32 1)
  %p0 = getelementptr i8, ptr @relative, i32 %o0
  %p1 = getelementptr i8, ptr @relative, i32 %o1
  %a = load i32, ptr %p0
  %b = load i32, ptr %p1
  call i32 (ptr, ...) @printf(ptr @format, i32 %a, i32 %b)
  ret i32 0
}
