; ELF has no word for definitions that must be equal (exactmatch).
; larder-error: comdat chosen: ELF keeps any one of several (any) or all (nodeduplicate), and knows no other selection
$chosen = comdat exactmatch
@chosen = global i32 1, comdat
define i32 @main() {
  %x = load i32, ptr @chosen
  ret i32 %x
}
