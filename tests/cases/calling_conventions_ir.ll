; Calling conventions that only IR can name: each is called, most also through a pointer in data.
; skip-dlopen: lld takes the decoration (@@80) for a version
; skip-lli: it loses the function whose convention decorates its name
; stdout: fast 55
; stdout: cold 55
; stdout: tail 1000000
; stdout: swift tail 1000000
; stdout: ghc 15
; stdout: any register 33
; stdout: windows 55
; stdout: unix 55
; stdout: registers 55
; stdout: vector 55
; stdout: preserve 55
; stdout: thread-local access 55
; stdout: swift error 7
@fast = private constant [9 x i8] c"fast %d\0A\00"
@cold = private constant [9 x i8] c"cold %d\0A\00"
@tail = private constant [9 x i8] c"tail %d\0A\00"
@swifttail = private constant [15 x i8] c"swift tail %d\0A\00"
@ghc = private constant [8 x i8] c"ghc %d\0A\00"
@anyreg = private constant [17 x i8] c"any register %d\0A\00"
@windows = private constant [12 x i8] c"windows %d\0A\00"
@unix = private constant [9 x i8] c"unix %d\0A\00"
@registers = private constant [14 x i8] c"registers %d\0A\00"
@vector = private constant [11 x i8] c"vector %d\0A\00"
@preserve = private constant [13 x i8] c"preserve %d\0A\00"
@tls = private constant [24 x i8] c"thread-local access %d\0A\00"
@swifterror = private constant [16 x i8] c"swift error %d\0A\00"
@table = internal constant [2 x ptr] [ptr @sum_fast, ptr @sum_cold]
@result = internal global i64 0
declare i32 @printf(ptr, ...)

define fastcc i64 @sum_fast(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j) noinline {
  %r = call i64 @sum(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j)
  ret i64 %r
}
define coldcc i64 @sum_cold(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j) noinline {
  %r = call i64 @sum(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j)
  ret i64 %r
}
define win64cc i64 @sum_windows(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j) noinline {
  %r = call i64 @sum(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j)
  ret i64 %r
}
define x86_64_sysvcc i64 @sum_unix(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j) noinline {
  %r = call i64 @sum(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j)
  ret i64 %r
}
define x86_regcallcc i64 @sum_registers(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j) noinline {
  %r = call i64 @sum(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j)
  ret i64 %r
}
define x86_vectorcallcc i64 @sum_vector(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j) noinline {
  %r = call i64 @sum(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j)
  ret i64 %r
}
define preserve_nonecc i64 @sum_none(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j) noinline {
  %r = call i64 @sum(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j)
  ret i64 %r
}
define cxx_fast_tlscc i64 @sum_tls(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j) noinline {
  %r = call i64 @sum(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j)
  ret i64 %r
}
define i64 @sum(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j) noinline {
  %1 = add i64 %a, %b
  %2 = add i64 %1, %c
  %3 = add i64 %2, %d
  %4 = add i64 %3, %e
  %5 = add i64 %4, %f
  %6 = add i64 %5, %g
  %7 = add i64 %6, %h
  %8 = add i64 %7, %i
  %9 = add i64 %8, %j
  ret i64 %9
}

; More arguments in one than in the other, all in registers: with some on the stack, LLVM 22's own code loses them.
define tailcc i64 @even(i64 %n, i64 %count) noinline {
  %done = icmp eq i64 %n, 0
  br i1 %done, label %end, label %more
end:
  ret i64 %count
more:
  %m = sub i64 %n, 1
  %c = add i64 %count, 1
  %r = musttail call tailcc i64 @odd(i64 %m, i64 %c, i64 0, i64 1, i64 2, i64 3)
  ret i64 %r
}
define tailcc i64 @odd(i64 %n, i64 %count, i64, i64, i64, i64 %three) noinline {
  %m = sub i64 %n, 1
  %c = add i64 %count, %three
  %d = sub i64 %c, 2
  %r = musttail call tailcc i64 @even(i64 %m, i64 %d)
  ret i64 %r
}
define swifttailcc i64 @swift_even(i64 %n, i64 %count) noinline {
  %done = icmp eq i64 %n, 0
  br i1 %done, label %end, label %more
end:
  ret i64 %count
more:
  %m = sub i64 %n, 1
  %c = add i64 %count, 1
  %r = musttail call swifttailcc i64 @swift_odd(i64 %m, i64 %c, i64 0, i64 1, i64 2, i64 3)
  ret i64 %r
}
define swifttailcc i64 @swift_odd(i64 %n, i64 %count, i64, i64, i64, i64 %three) noinline {
  %m = sub i64 %n, 1
  %c = add i64 %count, %three
  %d = sub i64 %c, 2
  %r = musttail call swifttailcc i64 @swift_even(i64 %m, i64 %d)
  ret i64 %r
}

; A function of ghccc never returns to C by itself: assembly keeps what C wants kept, as a run-time system does.
define ghccc void @of_ghc(i64 %base, i64 %sp, i64 %hp, i64 %r1, i64 %r2) noinline {
  %1 = add i64 %base, %sp
  %2 = add i64 %1, %hp
  %3 = add i64 %2, %r1
  %4 = add i64 %3, %r2
  store i64 %4, ptr @result
  ret void
}
define i64 @to_ghc() noinline {
  call void asm sideeffect "pushq %rbx\0Apushq %rbp\0Asubq $$136, %rsp\0Amovl $$1, %r13d\0Amovl $$2, %ebp\0Amovl $$3, %r12d\0Amovl $$4, %ebx\0Amovl $$5, %r14d\0Acallq *$0\0Aaddq $$136, %rsp\0Apopq %rbp\0Apopq %rbx", "{rax},~{rcx},~{rdx},~{rsi},~{rdi},~{r8},~{r9},~{r10},~{r11},~{r12},~{r13},~{r14},~{r15},~{memory},~{dirflag},~{fpsr},~{flags}"(ptr @of_ghc)
  %r = load i64, ptr @result
  ret i64 %r
}

declare void @llvm.experimental.patchpoint.void(i64, i32, ptr, i32, ...)
define i64 @any_register(i64 %a, i64 %b) noinline {
  call anyregcc void (i64, i32, ptr, i32, ...) @llvm.experimental.patchpoint.void(i64 3, i32 15, ptr null, i32 2, i64 %a, i64 %b)
  %r = add i64 %a, %b
  ret i64 %r
}

define swiftcc i64 @may_fail(i64 %a, ptr swiftself %self, ptr swifterror %error) noinline {
  %code = inttoptr i64 %a to ptr
  store ptr %code, ptr %error
  ret i64 0
}

define void @say(ptr %format, i64 %n) noinline {
  %r = call i32 (ptr, ...) @printf(ptr %format, i64 %n)
  ret void
}

define i32 @main() {
  %error = alloca swifterror ptr
  %second = getelementptr [2 x ptr], ptr @table, i64 0, i64 1
  %a0 = call fastcc i64 @sum_fast(i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7, i64 8, i64 9, i64 10)
  call void @say(ptr @fast, i64 %a0)
  %cold_at = load volatile ptr, ptr %second
  %a1 = call coldcc i64 %cold_at(i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7, i64 8, i64 9, i64 10)
  call void @say(ptr @cold, i64 %a1)
  %a2 = call tailcc i64 @even(i64 1000000, i64 0)
  call void @say(ptr @tail, i64 %a2)
  %a3 = call swifttailcc i64 @swift_even(i64 1000000, i64 0)
  call void @say(ptr @swifttail, i64 %a3)
  %a4 = call i64 @to_ghc()
  call void @say(ptr @ghc, i64 %a4)
  %a5 = call i64 @any_register(i64 11, i64 22)
  call void @say(ptr @anyreg, i64 %a5)
  %a6 = call win64cc i64 @sum_windows(i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7, i64 8, i64 9, i64 10)
  call void @say(ptr @windows, i64 %a6)
  %a7 = call x86_64_sysvcc i64 @sum_unix(i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7, i64 8, i64 9, i64 10)
  call void @say(ptr @unix, i64 %a7)
  %a8 = call x86_regcallcc i64 @sum_registers(i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7, i64 8, i64 9, i64 10)
  call void @say(ptr @registers, i64 %a8)
  %a9 = call x86_vectorcallcc i64 @sum_vector(i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7, i64 8, i64 9, i64 10)
  call void @say(ptr @vector, i64 %a9)
  %a10 = call preserve_nonecc i64 @sum_none(i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7, i64 8, i64 9, i64 10)
  call void @say(ptr @preserve, i64 %a10)
  %a11 = call cxx_fast_tlscc i64 @sum_tls(i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7, i64 8, i64 9, i64 10)
  call void @say(ptr @tls, i64 %a11)
  store ptr null, ptr %error
  %a12 = call swiftcc i64 @may_fail(i64 7, ptr swiftself null, ptr swifterror %error)
  %failed = load ptr, ptr %error
  %a13 = ptrtoint ptr %failed to i64
  call void @say(ptr @swifterror, i64 %a13)
  ret i32 0
}
