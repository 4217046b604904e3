// Functions that count on heap objects and predicates of the host, in ways that objects of any compiler have.
extern int counter __asm__("larder.object$any$counter");
extern const int pinned __asm__("larder.object$000000000000feed$pinned");
extern int later(int);

#define UNIT __attribute__((noinline, visibility("default")))
// The code around it counts on the guard.
#define COUNTS_ON(symbol) \
    __asm__ volatile("0:\n.pushsection .larder.uses,\"\",@progbits\n.quad 0b\n.quad \"" symbol "\"\n.popsection")
// The second is called where the first is dropped.
#define FALLBACK(function, fallback) \
    __asm__(".pushsection .larder.fallbacks,\"\",@progbits\n.quad " #function "\n.quad " #fallback "\n.popsection")

int *moving = &counter;
int *second = &counter + 1;
static int *const constant[] = {&counter, &counter + 1};

UNIT int untouched(int number) { return number + 1; }
UNIT int reads_any(int number) { return *(volatile int *)&counter + number; }
UNIT int *points_any(void) { return &counter; }
UNIT int reads_pinned(int number) { return *(volatile int *)&pinned + number; }
UNIT int reads_both(int number) { return *(volatile int *)&pinned + *(volatile int *)&counter + number; }
UNIT int through_constant(int index) { return *constant[index]; }
UNIT int through_moving(int index) { return index == 0 ? *moving : *second; }
UNIT void change_second(int *place) { second = place; }
UNIT int calls_any(int number) { return reads_any(number) * 2; }

UNIT int is_fast(int number) {
    COUNTS_ON("larder.guard$00000001$0000000000000001$is_final$a%2Cb");
    return number * 10;
}
UNIT int is_slow(int number) { return number * 100; }
FALLBACK(is_fast, is_slow);

UNIT int is_faster(int number) {
    COUNTS_ON("larder.guard$00000000$0000000000000007$version$");
    return number * 3;
}
FALLBACK(is_faster, is_fast);

UNIT int drops_and_waits(int number) {
    COUNTS_ON("larder.guard$00000000$0000000000000007$version$");
    return later(number) + 1;
}
UNIT int waits(int number) { return later(number) + 1; }

// The shortest there is.
UNIT void nothing(void) { COUNTS_ON("larder.guard$00000000$0000000000000007$version$"); }
