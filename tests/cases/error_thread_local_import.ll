; A thread-local variable of somebody else is refused by name, at save time.
; larder-error: elsewhere
; larder-error: thread-local
@elsewhere = external thread_local global i32
define i32 @main() {
  %p = call ptr @llvm.threadlocal.address.p0(ptr @elsewhere)
  %v = load i32, ptr %p
  ret i32 %v
}
declare ptr @llvm.threadlocal.address.p0(ptr)
