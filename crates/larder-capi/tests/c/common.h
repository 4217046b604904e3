/* What the programs of these tests have in common. */
#include "larder.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the program if something fails that is not what the test is about. */
#define MUST(call)                                                                                                                   \
    do {                                                                                                                             \
        larder_error *error = NULL;                                                                                                  \
        if (!(call)) {                                                                                                               \
            printf("%s:%d: %s\n", __FILE__, __LINE__, larder_error_message(error));                                                  \
            exit(1);                                                                                                                 \
        }                                                                                                                            \
    } while (0)

/* Prints an error and frees it. */
static inline void told(const char *what, larder_error *error) {
    printf("%s: error %d: %s\n", what, (int)larder_error_get_kind(error), larder_error_message(error));
    larder_error_free(error);
}

static inline larder *kitchen_in(const char *store) {
    larder_settings *settings = larder_settings_new();
    larder *kitchen = NULL;
    MUST(larder_settings_set_store(settings, store, &error));
    MUST((kitchen = larder_open(settings, &error)));
    larder_settings_free(settings);
    return kitchen;
}

static inline void build_text(void *context, larder_sink *sink) { larder_sink_write(sink, context, strlen((const char *)context)); }

/* A program of one module, under a key. */
static inline larder_program *program_of(const char *key, const char *ir) {
    larder_program *program = larder_program_new();
    MUST(larder_program_add_keyed(program, key, key, strlen(key), build_text, (void *)ir, &error));
    return program;
}

static inline larder_code *load(larder_session *session, const char *key, const char *ir) {
    larder_code *code = NULL;
    MUST((code = larder_load(session, program_of(key, ir), NULL, &error)));
    return code;
}

/* Calls a function without arguments, as the body of larder_try does it. */
struct call {
    larder_code *code;
    const char *name;
    long result;
};

static inline void call_body(void *context) {
    struct call *call = (struct call *)context;
    long (*function)(void) = (long (*)(void))larder_code_function(call->code, call->name, NULL);
    call->result = function();
}

static inline void call_and_print(larder_code *code, const char *name) {
    struct call call = {code, name, 0};
    larder_error *error = NULL;
    if (larder_try(call_body, &call, &error)) printf("%s: %ld\n", name, call.result);
    else told(name, error);
}

static inline void print_report(const char *what, larder_report *report) {
    printf("%s of %s: %d\n", what, larder_report_code(report), (int)larder_report_count(report));
    for (size_t row = 0; row < larder_report_count(report); row++)
        printf("  %s: cause %d, %s(%s), %d not %d: %s\n", larder_report_function(report, row), (int)larder_report_cause(report, row),
               larder_report_name(report, row), larder_report_arguments(report, row), (int)larder_report_found(report, row),
               (int)larder_report_expected(report, row), larder_report_text(report, row));
    larder_report_free(report);
}

static inline void print_dropped(larder_code *code) {
    larder_report *report = NULL;
    MUST((report = larder_code_dropped(code, &error)));
    print_report("dropped", report);
}
