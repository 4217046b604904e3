/* The C API from C: a session, code by a key of its own, symbols, errors. Prints what main.rs expects. */
#include "larder.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char MODULE[] =
    "declare i32 @host_double(i32)\n"
    "@counter = global i32 7\n"
    "define i32 @run(i32 %x) {\n"
    "  %doubled = call i32 @host_double(i32 %x)\n"
    "  %more = load i32, ptr @counter\n"
    "  %result = add i32 %doubled, %more\n"
    "  ret i32 %result\n"
    "}\n";

static int host_double(int x) { return 2 * x; }
static int built;

static void build(void *context, larder_sink *sink) {
    built++;
    if (context) {
        larder_sink_fail(sink, context);
        return;
    }
    larder_sink_write(sink, MODULE, 10);
    larder_sink_write(sink, MODULE + 10, sizeof MODULE - 1 - 10);
}

static const void *resolve(void *context, const char *name) {
    ++*(int *)context;
    return strcmp(name, "host_double") == 0 ? (const void *)host_double : NULL;
}

static void observe(void *context, larder_event_kind kind, const char *text) {
    ((int *)context)[kind]++;
    if (text[0] == 0) abort();
}

static void failed(const char *what, larder_error *error) {
    printf("%s: error %d: %s\n", what, larder_error_get_kind(error), larder_error_message(error));
    larder_error_free(error);
}

static larder_program *keyed(const char *key, void *context) {
    larder_program *program = larder_program_new();
    if (!larder_program_add_keyed(program, "a query", key, strlen(key), build, context, NULL)) abort();
    return program;
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    int events[8] = {0}, asked = 0;
    larder_error *error = NULL;
    larder_settings *settings = larder_settings_new();
    if (!larder_settings_set_store(settings, argv[1], &error)) abort();
    if (!larder_settings_set_observer(settings, observe, events, &error)) abort();
    larder *kitchen = larder_open(settings, &error);
    larder_settings_free(settings);
    larder_session *session = larder_session_new(kitchen, &error);

    larder_code *code = larder_load(session, keyed("query 1", NULL), NULL, &error);
    if (code) abort();
    failed("without symbols", error);

    if (!larder_session_resolve_with(session, resolve, &asked, &error)) abort();
    code = larder_load(session, keyed("query 1", NULL), NULL, &error);
    if (!code) return failed("load", error), 1;
    int (*run)(int) = (int (*)(int))larder_code_function(code, "run", NULL);
    printf("run: %d, built: %d, asked: %d, hit: %d\n", run(20), built, asked, larder_code_is_hit(code));
    *(int *)larder_code_symbol(code, "counter") = 100;
    printf("run: %d, key: %zu digits, warnings: %zu\n", run(20), strlen(larder_code_key(code)), larder_code_warning_count(code));

    if (larder_code_function(code, "walk", &error)) abort();
    failed("no function", error);
    if (larder_load(session, keyed("query 2", "no schema"), NULL, &error)) abort();
    failed("no module", error);
    if (larder_load(session, NULL, NULL, &error)) abort();
    failed("no program", error);
    larder_program *program = larder_program_new();
    larder_program_add_bytes(program, "bad.ll", "define nothing", 14, NULL);
    if (larder_load(session, program, NULL, &error)) abort();
    failed("no IR", error);
    larder_options *options = larder_options_new();
    if (larder_options_set_level(options, '7', &error)) abort();
    failed("no level", error);
    if (!larder_options_set_level(options, 's', NULL) || !larder_options_set_cpu(options, "x86-64-v2", "+avx", NULL)) abort();

    larder_loading *loading = larder_load_in_background(session, keyed("query 1", NULL), options, &error);
    if (!loading) return failed("background", error), 1;
    larder_code *other = larder_loading_wait(loading, &error);
    if (!other) return failed("background", error), 1;
    run = (int (*)(int))larder_code_function(other, "run", NULL);
    printf("background: %d\n", run(1));
    loading = larder_load_in_background(session, keyed("query 3", NULL), options, &error);
    larder_loading_cancel(loading);
    larder_loading_free(loading);

    /* The session goes first: code keeps what it needs. */
    larder_code *again = larder_code_retain(other, &error);
    larder_code_free(other);
    larder_session_free(session);
    printf("still: %d\n", run(2));
    larder_counts counts;
    if (!larder_get_counts(kitchen, &counts, &error)) abort();
    printf("counts: %d %d\n", (int)counts.loaded, counts.compile_time_us > 0);
    printf("events: %d loaded\n", events[LARDER_EVENT_LOADED]);
    larder_close(kitchen);
    larder_options_free(options);
    larder_code_free(again);
    larder_code_free(code);
    return 0;
}
