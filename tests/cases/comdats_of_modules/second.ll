$any = comdat any
$each = comdat nodeduplicate
@any = weak global i64 3, comdat
@any_member = weak global ptr @any_part, comdat($any)
@any_part = internal global i32 20, comdat($any)
@each = weak global i32 4, comdat
@each_part = internal global i32 40, comdat($each)

define i32 @second_any() {
  %x = load volatile i32, ptr @any
  ret i32 %x
}
define i32 @second_any_member() {
  %at = load volatile ptr, ptr @any_member
  %x = load volatile i32, ptr %at
  ret i32 %x
}
define i32 @second_each() {
  %x = load volatile i32, ptr @each
  ret i32 %x
}
define i32 @second_each_member() {
  %x = load volatile i32, ptr @each_part
  ret i32 %x
}
