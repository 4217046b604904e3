; A module for the kernel's code model, whose addresses are at the other end of the address space: an image lies anywhere.
; stdout: 7 0
@small = global i32 7
@large = global [100000 x i32] zeroinitializer
@table = global [2 x ptr] [ptr @get, ptr @printf]
@line = private constant [7 x i8] c"%d %d\0A\00"
declare i32 @printf(ptr, ...)

define internal i32 @get(ptr %at) noinline {
  %number = load volatile i32, ptr %at
  ret i32 %number
}

define i32 @main() {
  %get = load volatile ptr, ptr @table
  %print = load volatile ptr, ptr getelementptr ([2 x ptr], ptr @table, i64 0, i64 1)
  %small = call i32 %get(ptr @small)
  %large = call i32 @get(ptr getelementptr ([100000 x i32], ptr @large, i64 0, i64 50000))
  call i32 (ptr, ...) %print(ptr @line, i32 %small, i32 %large)
  ret i32 0
}
!llvm.module.flags = !{!0}
!0 = !{i32 1, !"Code Model", i32 2}
