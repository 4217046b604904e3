; ELF has no word for what the largest of several definitions would be.
; larder-error: comdat chosen: ELF keeps any one of several (any) or all (nodeduplicate), and knows no other selection
$chosen = comdat largest
@chosen = global i32 1, comdat
define i32 @main() {
  %x = load i32, ptr @chosen
  ret i32 %x
}
