; Functions with a CPU of their own beside functions without: neither changes the other.
; flags: -O2
; stdout: 6 6
@format = private constant [7 x i8] c"%d %d\0A\00"
declare i32 @printf(ptr, ...)

define i32 @plain(<4 x i32> %v) noinline {
  %r = call i32 @llvm.vector.reduce.add.v4i32(<4 x i32> %v)
  ret i32 %r
}
define i32 @baseline(<4 x i32> %v) noinline "target-cpu"="x86-64" "target-features"="+sse2,-sse3" {
  %r = call i32 @llvm.vector.reduce.add.v4i32(<4 x i32> %v)
  ret i32 %r
}
declare i32 @llvm.vector.reduce.add.v4i32(<4 x i32>)

define i32 @main() {
  %a = call i32 @plain(<4 x i32> <i32 0, i32 1, i32 2, i32 3>)
  %b = call i32 @baseline(<4 x i32> <i32 0, i32 1, i32 2, i32 3>)
  call i32 (ptr, ...) @printf(ptr @format, i32 %a, i32 %b)
  ret i32 0
}
