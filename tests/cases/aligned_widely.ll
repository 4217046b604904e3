; Alignment to 16 MiB, with and without initial bytes.
; skip-lli: it maps segments at any page
; stdout: 7 0
; stdout: 0 0
@data = global i32 7, align 16777216
@zeros = global i32 0, align 16777216
@small = global ptr @zeros
@format = private constant [7 x i8] c"%d %d\0A\00"
declare i32 @printf(ptr, ...)
define i32 @main() {
  %d = load i32, ptr @data
  %p = load ptr, ptr @small
  %z = load i32, ptr %p
  %a = call i32 (ptr, ...) @printf(ptr @format, i32 %d, i32 %z)
  %data = ptrtoint ptr @data to i64
  %low = and i64 %data, 16777215
  %low32 = trunc i64 %low to i32
  %zeros = ptrtoint ptr %p to i64
  %zero = and i64 %zeros, 16777215
  %zero32 = trunc i64 %zero to i32
  %b = call i32 (ptr, ...) @printf(ptr @format, i32 %low32, i32 %zero32)
  ret i32 0
}
