// The second module.
void says(const char *text);
__attribute__((constructor)) static void begin(void) { says("second"); }
__attribute__((constructor(200))) static void begin_200(void) { says("second 200"); }
__attribute__((constructor(101))) static void begin_101(void) { says("second 101"); }
__attribute__((destructor)) static void end(void) { says("second"); }
__attribute__((destructor(200))) static void end_200(void) { says("second 200"); }
__attribute__((destructor(101))) static void end_101(void) { says("second 101"); }
