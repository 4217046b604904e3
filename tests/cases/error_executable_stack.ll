; A nested function whose address is taken needs code on the stack: refused, not run wrongly.
; larder-error: an executable stack
declare void @llvm.init.trampoline(ptr, ptr, ptr)
declare ptr @llvm.adjust.trampoline(ptr)
@kept = global ptr null

define i32 @nested(ptr nest %frame, i32 %n) noinline {
  %base = load i32, ptr %frame
  %sum = add i32 %base, %n
  ret i32 %sum
}

define i32 @main() {
  %frame = alloca i32
  %code = alloca [32 x i8], align 16
  store i32 40, ptr %frame
  call void @llvm.init.trampoline(ptr %code, ptr @nested, ptr %frame)
  %at = call ptr @llvm.adjust.trampoline(ptr %code)
  store volatile ptr %at, ptr @kept
  %f = load volatile ptr, ptr @kept
  %r = call i32 %f(i32 2)
  ret i32 %r
}
