int optimised_sum_up_to(int n) {
  int sum = 0;
  __attribute__((noinline)) void add(int number) {
    sum += number;
    if (number < n)
      add(number + 1);
  }
  add(1);
  return sum;
}
