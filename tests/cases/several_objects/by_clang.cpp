void throwing();

int by_clang(int x) {
  if (x < 0)
    throwing();
  return 2 * x;
}
