target triple = "x86_64-pc-linux-gnu"
@order = external global [3 x i32]
@order_count = external global i32
@counter = external thread_local global i32
@llvm.global_ctors = appending global [1 x { i32, ptr, ptr }] [{ i32, ptr, ptr } { i32 65535, ptr @hidden, ptr null }]

; Another internal function of the same name as one of the module before.
define internal void @hidden() {
  %n = load i32, ptr @order_count
  %m = add i32 %n, 1
  store i32 %m, ptr @order_count
  %at = getelementptr i32, ptr @order, i32 %n
  store i32 3, ptr %at
  ret void
}

define i32 @last_value() {
  %counter = call ptr @llvm.threadlocal.address.p0(ptr @counter)
  %value = load i32, ptr %counter
  %more = add i32 %value, 1
  ret i32 %more
}

declare ptr @llvm.threadlocal.address.p0(ptr)
