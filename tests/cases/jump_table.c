// A dense switch becomes a jump table in read-only data: offsets, since addresses would need relocating.
// flags: -O0 | -O2 | -O2 -fno-pic
#include <stdio.h>

__attribute__((noinline)) static int act(int x, int y) {
  switch (x) {
  case 0: return y + 1;
  case 1: return y * 3;
  case 2: return y - 7;
  case 3: return y ^ 0x55;
  case 4: return y << 2;
  case 5: return -y;
  case 6: return y % 10;
  case 7: return y * y;
  case 8: puts("eight"); return 8;
  case 9: return y / 3;
  default: return 0;
  }
}

int main(void) {
  for (int i = -1; i < 11; i++)
    printf("%d\n", act(i, 100 + i));
  return 0;
}
