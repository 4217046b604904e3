; A thread-local variable that nobody defines is missed by name.
; larder-error: elsewhere
; larder-error: unresolved
@elsewhere = external thread_local global i32
define i32 @main() {
  %p = call ptr @llvm.threadlocal.address.p0(ptr @elsewhere)
  %v = load i32, ptr %p
  ret i32 %v
}
declare ptr @llvm.threadlocal.address.p0(ptr)
