/* The C API from many threads at once. Prints what threads.rs expects. */
#include "common.h"
#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 8 };

static const char TABLES[] =
    "@table = external global i64, !larder.object !0\n"
    "!0 = !{!\"table\", i64 7}\n"
    "define i64 @use_table() uwtable { %v = load i64, ptr @table ret i64 %v }\n";

static larder_session *session;
static larder_code *code;
static atomic_int made;

static void make_anew(void *context, const larder_report *dropped, larder_program *program) {
    const char *ir = context;
    (void)dropped;
    atomic_fetch_add(&made, 1);
    MUST(larder_program_add_bytes(program, "anew", ir, strlen(ir), &error));
}

static void on_all_threads(void *(*run)(void *), void **arguments) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, run, &arguments[i])) abort();
    for (int i = 0; i < THREADS; i++)
        if (pthread_join(threads[i], &arguments[i])) abort();
}

/* Calls a function that was dropped. */
static void *call_dropped(void *argument) {
    struct call call = {code, "use_table", 0};
    (void)argument;
    MUST(larder_try(call_body, &call, &error));
    return (void *)call.result;
}

/* Defines a name, loads code that uses it, and lets go of it. */
static void *load_own(void *argument) {
    char name[32], ir[256];
    snprintf(name, sizeof name, "number%d", (int)(size_t) * (void **)argument);
    snprintf(ir, sizeof ir, "@%s = external global i64\ndefine i64 @get() { %%v = load i64, ptr @%s ret i64 %%v }", name, name);
    long number = (long)(size_t) * (void **)argument * 3;
    MUST(larder_session_define(session, name, &number, &error));
    larder_code *own = load(session, name, ir);
    struct call call = {own, "get", 0};
    MUST(larder_try(call_body, &call, &error));
    larder_code_free(own);
    return (void *)call.result;
}

/* Frees what all others free, too. */
static void *free_shared(void *argument) {
    larder_code *shared = *(void **)argument;
    larder_code_is_hit(shared);
    larder_code_free(shared);
    return NULL;
}

int main(int argc, char **argv) {
    static long table = 40;
    static char ir[] = "define i64 @use_table() uwtable { ret i64 1005 }";
    if (argc != 2) return 2;
    larder *kitchen = kitchen_in(argv[1]);
    MUST((session = larder_session_new(kitchen, &error)));
    MUST(larder_session_define_object(session, "table", &table, 9, &error));
    MUST(larder_session_recompile_with(session, make_anew, ir, &error));
    code = load(session, "tables", TABLES);

    void *results[THREADS] = {0};
    on_all_threads(call_dropped, results);
    for (int i = 0; i < THREADS; i++) printf("%ld ", (long)results[i]);
    printf("made: %d\n", atomic_load(&made));

    for (int i = 0; i < THREADS; i++) results[i] = (void *)(size_t)i;
    on_all_threads(load_own, results);
    for (int i = 0; i < THREADS; i++) printf("%ld ", (long)results[i]);
    printf("\n");

    larder_code *shared = NULL;
    MUST((shared = larder_code_retain(code, &error)));
    for (int i = 0; i < THREADS; i++) results[i] = shared;
    on_all_threads(free_shared, results);
    call_and_print(code, "use_table");
    larder_code_free(code);
    larder_session_free(session);
    larder_close(kitchen);
    return 0;
}
