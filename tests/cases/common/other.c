char shared[8];
int counter;
void add(int x) {
  counter += x;
  shared[0]++;
}
