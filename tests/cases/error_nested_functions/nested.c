static void each(const int *numbers, int count, void (*visit)(int)) {
  for (int i = 0; i < count; i++)
    visit(numbers[i]);
}

int count_above(const int *numbers, int count, int limit) {
  int found = 0;
  void visit(int number) { found += number > limit; }
  each(numbers, count, visit);
  return found;
}
