int sum_up_to(int n) {
  int sum = 0;
  void add(int number) { sum += number; }
  for (int number = 1; number <= n; number++)
    add(number);
  return sum;
}
