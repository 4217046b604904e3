; IR that parses and is wrong: a value used before it is defined on every path.
; larder-error: Instruction does not dominate all uses
define i32 @main(i32 %argc) {
  %c = icmp eq i32 %argc, 1
  br i1 %c, label %a, label %b
a:
  %x = add i32 %argc, 1
  br label %b
b:
  ret i32 %x
}
