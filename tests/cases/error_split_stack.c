// Split stacks need a runtime that grows them: refused, not run wrongly.
// flags: -O1 -fsplit-stack
// larder-error: compile without -fsplit-stack
int main(int argc, char **argv) { return argc > 100 ? main(argc - 1, argv) : 0; }
