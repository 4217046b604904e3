int twice(int number) { return number + number; }
int thrice(int number) { return 3 * number; }
