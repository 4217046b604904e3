// An object.
void says(const char *text);
__attribute__((constructor)) static void begin(void) { says("third"); }
__attribute__((constructor(101))) static void begin_101(void) { says("third 101"); }
__attribute__((destructor)) static void end(void) { says("third"); }
__attribute__((destructor(101))) static void end_101(void) { says("third 101"); }
