; Calling conventions for OpenCL and for other systems and word sizes, and those that preserve registers, in IR: with floating-point
; arguments and through pointers in data. A handler of interrupts is there and not called.
; stdout: ocl 55 7.5
; stdout: stdcall 55 7.5
; stdout: fastcall 55 7.5
; stdout: thiscall 55 7.5
; stdout: most 55 7.5
; stdout: all 55 7.5
@table = internal global [7 x ptr] [ptr @sum_ocl, ptr @sum_stdcall, ptr @sum_fastcall, ptr @sum_thiscall, ptr @sum_most, ptr @sum_all, ptr @interrupted]
@line = private constant [13 x i8] c"%s %ld %.1f\0A\00"
@name_ocl = private constant [4 x i8] c"ocl\00"
@name_stdcall = private constant [8 x i8] c"stdcall\00"
@name_fastcall = private constant [9 x i8] c"fastcall\00"
@name_thiscall = private constant [9 x i8] c"thiscall\00"
@name_most = private constant [5 x i8] c"most\00"
@name_all = private constant [4 x i8] c"all\00"
declare i32 @printf(ptr, ...)

define internal i64 @sum(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j, ptr %at, double %x, double %y, float %z) noinline {
  %x1 = fadd double %x, %y
  %z1 = fpext float %z to double
  %x2 = fadd double %x1, %z1
  store double %x2, ptr %at
  %s0 = add i64 %a, %b
  %s1 = add i64 %s0, %c
  %s2 = add i64 %s1, %d
  %s3 = add i64 %s2, %e
  %s4 = add i64 %s3, %f
  %s5 = add i64 %s4, %g
  %s6 = add i64 %s5, %h
  %s7 = add i64 %s6, %i
  %s8 = add i64 %s7, %j
  ret i64 %s8
}

define internal intel_ocl_bicc i64 @sum_ocl(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j, ptr %at, double %x, double %y, float %z) noinline {
  %r = call i64 @sum(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j, ptr %at, double %x, double %y, float %z)
  ret i64 %r
}
define internal x86_stdcallcc i64 @sum_stdcall(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j, ptr %at, double %x, double %y, float %z) noinline {
  %r = call i64 @sum(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j, ptr %at, double %x, double %y, float %z)
  ret i64 %r
}
define internal x86_fastcallcc i64 @sum_fastcall(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j, ptr %at, double %x, double %y, float %z) noinline {
  %r = call i64 @sum(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j, ptr %at, double %x, double %y, float %z)
  ret i64 %r
}
define internal x86_thiscallcc i64 @sum_thiscall(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j, ptr %at, double %x, double %y, float %z) noinline {
  %r = call i64 @sum(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j, ptr %at, double %x, double %y, float %z)
  ret i64 %r
}
define internal preserve_mostcc i64 @sum_most(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j, ptr %at, double %x, double %y, float %z) noinline {
  %r = call i64 @sum(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j, ptr %at, double %x, double %y, float %z)
  ret i64 %r
}
define internal preserve_allcc i64 @sum_all(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j, ptr %at, double %x, double %y, float %z) noinline {
  %r = call i64 @sum(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 %j, ptr %at, double %x, double %y, float %z)
  ret i64 %r
}
define internal x86_intrcc void @interrupted(ptr byval([5 x i64]) %frame) {
  %at = load i64, ptr %frame
  store volatile i64 %at, ptr @table
  ret void
}

define i32 @main() {
  %at = alloca double
  %f0 = load volatile ptr, ptr getelementptr ([7 x ptr], ptr @table, i64 0, i64 0)
  %r0 = call intel_ocl_bicc i64 %f0(i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7, i64 8, i64 9, i64 10, ptr %at, double 1.5, double 2.5, float 3.5)
  %v0 = load double, ptr %at
  call i32 (ptr, ...) @printf(ptr @line, ptr @name_ocl, i64 %r0, double %v0)
  %f1 = load volatile ptr, ptr getelementptr ([7 x ptr], ptr @table, i64 0, i64 1)
  %r1 = call x86_stdcallcc i64 %f1(i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7, i64 8, i64 9, i64 10, ptr %at, double 1.5, double 2.5, float 3.5)
  %v1 = load double, ptr %at
  call i32 (ptr, ...) @printf(ptr @line, ptr @name_stdcall, i64 %r1, double %v1)
  %f2 = load volatile ptr, ptr getelementptr ([7 x ptr], ptr @table, i64 0, i64 2)
  %r2 = call x86_fastcallcc i64 %f2(i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7, i64 8, i64 9, i64 10, ptr %at, double 1.5, double 2.5, float 3.5)
  %v2 = load double, ptr %at
  call i32 (ptr, ...) @printf(ptr @line, ptr @name_fastcall, i64 %r2, double %v2)
  %f3 = load volatile ptr, ptr getelementptr ([7 x ptr], ptr @table, i64 0, i64 3)
  %r3 = call x86_thiscallcc i64 %f3(i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7, i64 8, i64 9, i64 10, ptr %at, double 1.5, double 2.5, float 3.5)
  %v3 = load double, ptr %at
  call i32 (ptr, ...) @printf(ptr @line, ptr @name_thiscall, i64 %r3, double %v3)
  %f4 = load volatile ptr, ptr getelementptr ([7 x ptr], ptr @table, i64 0, i64 4)
  %r4 = call preserve_mostcc i64 %f4(i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7, i64 8, i64 9, i64 10, ptr %at, double 1.5, double 2.5, float 3.5)
  %v4 = load double, ptr %at
  call i32 (ptr, ...) @printf(ptr @line, ptr @name_most, i64 %r4, double %v4)
  %f5 = load volatile ptr, ptr getelementptr ([7 x ptr], ptr @table, i64 0, i64 5)
  %r5 = call preserve_allcc i64 %f5(i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7, i64 8, i64 9, i64 10, ptr %at, double 1.5, double 2.5, float 3.5)
  %v5 = load double, ptr %at
  call i32 (ptr, ...) @printf(ptr @line, ptr @name_all, i64 %r5, double %v5)
  ret i32 0
}
