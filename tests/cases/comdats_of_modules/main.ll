; extra-module: second.ll
; stdout: any 1 1, with its members 10 10
; stdout: each 2 2, with its members 30 40
;
; COMDATs with members of their own, which several modules have: of `any` the first counts and the others go with all they have; of
; `nodeduplicate` each stays, and only the names of weak members are shared.
$any = comdat any
$each = comdat nodeduplicate
@any = weak global i32 1, comdat
@any_member = weak global ptr @any_part, comdat($any)
@any_part = internal global i32 10, comdat($any)
@each = weak global i32 2, comdat
@each_part = internal global i32 30, comdat($each)
@any_line = private constant [32 x i8] c"any %d %d, with its members %d \00"
@each_line = private constant [33 x i8] c"each %d %d, with its members %d \00"
@end = private constant [4 x i8] c"%d\0A\00"
declare i32 @printf(ptr, ...)
declare i32 @second_any()
declare i32 @second_any_member()
declare i32 @second_each()
declare i32 @second_each_member()

define i32 @main() {
  %a1 = load volatile i32, ptr @any
  %a2 = call i32 @second_any()
  %a3.at = load volatile ptr, ptr @any_member
  %a3 = load volatile i32, ptr %a3.at
  %a4 = call i32 @second_any_member()
  call i32 (ptr, ...) @printf(ptr @any_line, i32 %a1, i32 %a2, i32 %a3)
  call i32 (ptr, ...) @printf(ptr @end, i32 %a4)
  %e1 = load volatile i32, ptr @each
  %e2 = call i32 @second_each()
  %e3 = load volatile i32, ptr @each_part
  %e4 = call i32 @second_each_member()
  call i32 (ptr, ...) @printf(ptr @each_line, i32 %e1, i32 %e2, i32 %e3)
  call i32 (ptr, ...) @printf(ptr @end, i32 %e4)
  ret i32 0
}
