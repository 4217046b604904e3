__attribute__((visibility("hidden"))) int hidden_number = 12;
__attribute__((visibility("hidden"))) int hidden_function(void) { return 34; }
__attribute__((visibility("protected"))) int protected_function(void) { return 56; }
