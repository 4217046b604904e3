/* What the C API answers to misuse: no crash, but errors. Prints what misuse.rs expects. */
#include "common.h"

/* Every function of this kind is given an object that isn't one. */
#define REFUSED(call)                                                                                                                \
    do {                                                                                                                             \
        larder_error *error = NULL;                                                                                                  \
        if ((call) || larder_error_get_kind(error) != LARDER_ERROR_ARGUMENT || !*larder_error_message(error)) {                      \
            printf("%d: %s: error %d\n", __LINE__, #call, (int)larder_error_get_kind(error));                                        \
            exit(1);                                                                                                                 \
        }                                                                                                                            \
        larder_error_free(error);                                                                                                    \
    } while (0)

static const void *resolve(void *context, const char *name) { return (void)name, context; }
static bool resolve_object(void *c, const char *n, const void **a, uint64_t *f) { return (void)c, (void)n, (void)a, (void)f, false; }
static bool answer(void *context, const char *arguments, uint64_t *answer) { return (void)context, (void)arguments, (void)answer, false; }
static void recompile(void *context, const larder_report *report, larder_program *program) { (void)context, (void)report, (void)program; }
static const void *decide(void *context, const larder_report *report) { return (void)report, context; }
static void observe(void *context, larder_event_kind kind, const char *text) { (void)context, (void)kind, (void)text; }
static void nothing(void *context) { (void)context; }

/* All functions that take such an object, whatever it is: NULL, freed, or of another type. */
static void everything(void *bad) {
    const char *name = "name";
    const void *address = "";
    larder_counts counts;
    larder_options *options = bad ? bad : NULL;
    REFUSED(larder_settings_set_store(bad, "/", &error));
    REFUSED(larder_settings_set_store_off(bad, &error));
    REFUSED(larder_settings_set_store_size_max(bad, 1, &error));
    REFUSED(larder_settings_set_worker(bad, "/", &error));
    REFUSED(larder_settings_set_timeout_ms(bad, 1, &error));
    REFUSED(larder_settings_set_memory_max(bad, 1, &error));
    REFUSED(larder_settings_set_threads(bad, 1, &error));
    REFUSED(larder_settings_set_trust(bad, LARDER_CHECK, &error));
    REFUSED(larder_settings_set_observer(bad, observe, NULL, &error));
    if (bad) REFUSED(larder_open(bad, &error));
    REFUSED(larder_get_counts(bad, &counts, &error));
    REFUSED(larder_options_set_level(bad, '2', &error));
    REFUSED(larder_options_set_passes(bad, "", &error));
    REFUSED(larder_options_set_cpu(bad, "native", NULL, &error));
    REFUSED(larder_options_set_exports(bad, &name, 1, &error));
    REFUSED(larder_options_set_keep_source(bad, true, &error));
    REFUSED(larder_options_set_lto(bad, true, &error));
    REFUSED(larder_options_set_split(bad, LARDER_SPLIT_AUTO, &error));
    REFUSED(larder_options_set_raw_pointers(bad, LARDER_RAW_IGNORE, &error));
    REFUSED(larder_program_add_file(bad, "/", &error));
    REFUSED(larder_program_add_bytes(bad, "", "", 0, &error));
    REFUSED(larder_program_add_keyed(bad, "", "", 0, build_text, NULL, &error));
    REFUSED(larder_session_new(bad, &error));
    REFUSED(larder_session_define(bad, name, address, &error));
    REFUSED(larder_session_define_all(bad, &name, &address, 1, &error));
    REFUSED(larder_session_use_process_symbols(bad, &error));
    REFUSED(larder_session_resolve_with(bad, resolve, NULL, &error));
    REFUSED(larder_session_keep(bad, bad, &error));
    REFUSED(larder_session_defer(bad, name, LARDER_DEFER_DATA, &error));
    REFUSED(larder_session_define_object(bad, name, address, 1, &error));
    REFUSED(larder_session_define_region(bad, name, address, 1, 1, &error));
    REFUSED(larder_session_resolve_objects_with(bad, resolve_object, NULL, &error));
    REFUSED(larder_session_define_predicate(bad, name, answer, NULL, &error));
    REFUSED(larder_session_move_objects(bad, &name, &address, 1, &error));
    REFUSED(larder_session_recompile_with(bad, recompile, NULL, &error));
    REFUSED(larder_session_recompile_when(bad, LARDER_EAGERLY, &error));
    REFUSED(larder_session_on_unusable(bad, decide, NULL, &error));
    REFUSED(larder_load(bad, larder_program_new(), options, &error));
    REFUSED(larder_load(bad, bad, options, &error));
    REFUSED(larder_load_image(bad, "/", options, &error));
    REFUSED(larder_load_in_background(bad, larder_program_new(), options, &error));
    REFUSED(larder_loading_wait(bad, &error));
    REFUSED(larder_code_retain(bad, &error));
    REFUSED(larder_code_function(bad, name, &error));
    REFUSED(larder_code_waiting(bad, &error));
    REFUSED(larder_code_dropped(bad, &error));
    REFUSED(larder_code_raw_pointers(bad, &error));
    /* Those that say nothing about errors answer nothing. */
    larder_loading_cancel(bad);
    larder_sink_write(bad, "", 1);
    larder_sink_fail(bad, NULL);
    if (larder_session_undefine(bad, name) || larder_session_forget_object(bad, name) || larder_session_release(bad, bad) ||
        larder_code_symbol(bad, name) || larder_code_is_hit(bad) || *larder_code_name(bad) || *larder_code_path(bad) ||
        *larder_code_outcome(bad) || *larder_code_key(bad) || larder_code_warning_count(bad) || *larder_code_warning(bad, 0) ||
        larder_loading_progress(bad) != 0 || larder_loading_is_finished(bad) || *larder_report_code(bad) || *larder_report_message(bad) ||
        larder_report_count(bad) || *larder_report_function(bad, 0) || larder_report_cause(bad, 0) || *larder_report_name(bad, 0) ||
        *larder_report_arguments(bad, 0) || larder_report_expected(bad, 0) || larder_report_found(bad, 0) ||
        *larder_report_text(bad, 0))
        abort();
    larder_settings_free(bad);
    larder_close(bad);
    larder_options_free(bad);
    larder_program_free(bad);
    larder_session_free(bad);
    larder_loading_free(bad);
    larder_code_free(bad);
    larder_report_free(bad);
}

/* Arguments that are wrong beside good objects. */
static void arguments(larder *kitchen, larder_session *session) {
    static const char latin[] = "\xe4";
    const char *names[] = {"name", NULL};
    const void *addresses[] = {"", ""};
    larder_settings *settings = larder_settings_new();
    larder_options *options = larder_options_new();
    larder_program *program = larder_program_new();
    REFUSED(larder_settings_set_store(settings, NULL, &error));
    REFUSED(larder_settings_set_worker(settings, latin, &error));
    REFUSED(larder_settings_set_trust(settings, (larder_trust)3, &error));
    REFUSED(larder_settings_set_observer(settings, NULL, NULL, &error));
    REFUSED(larder_get_counts(kitchen, NULL, &error));
    REFUSED(larder_options_set_level(options, '7', &error));
    REFUSED(larder_options_set_cpu(options, "z80", NULL, &error));
    REFUSED(larder_options_set_cpu(options, "native", "avx2", &error));
    REFUSED(larder_options_set_exports(options, names, 2, &error));
    REFUSED(larder_options_set_exports(options, NULL, 2, &error));
    REFUSED(larder_options_set_split(options, (larder_split)9, &error));
    REFUSED(larder_options_set_raw_pointers(options, (larder_raw_pointers)9, &error));
    REFUSED(larder_program_add_file(program, NULL, &error));
    REFUSED(larder_program_add_bytes(program, "name", NULL, 3, &error));
    REFUSED(larder_program_add_keyed(program, "name", NULL, 3, build_text, NULL, &error));
    REFUSED(larder_program_add_keyed(program, "name", "key", 3, NULL, NULL, &error));
    REFUSED(larder_session_define(session, NULL, "", &error));
    REFUSED(larder_session_define_all(session, names, addresses, 2, &error));
    REFUSED(larder_session_define_all(session, names, NULL, 1, &error));
    REFUSED(larder_session_resolve_with(session, NULL, NULL, &error));
    REFUSED(larder_session_defer(session, "name", (larder_deferral)0, &error));
    REFUSED(larder_session_resolve_objects_with(session, NULL, NULL, &error));
    REFUSED(larder_session_define_predicate(session, "name", NULL, NULL, &error));
    REFUSED(larder_session_move_objects(session, names, addresses, 2, &error));
    REFUSED(larder_session_recompile_with(session, NULL, NULL, &error));
    REFUSED(larder_session_recompile_when(session, (larder_recompile)3, &error));
    REFUSED(larder_session_on_unusable(session, NULL, NULL, &error));
    REFUSED(larder_try(NULL, NULL, &error));
    /* Errors that nobody wants to have. */
    if (larder_session_define(session, NULL, "", NULL) || larder_try(NULL, NULL, NULL) || !larder_try(nothing, NULL, NULL)) abort();
    larder_settings_free(settings);
    larder_options_free(options);
    larder_program_free(program);
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    larder *kitchen = kitchen_in(argv[1]);
    larder_session *session = NULL;
    MUST((session = larder_session_new(kitchen, &error)));
    everything(NULL);
    printf("NULL\n");
    arguments(kitchen, session);
    printf("arguments\n");

    larder_code *code = load(session, "five", "define i64 @five() { ret i64 5 }");
    larder_report *report = NULL;
    MUST((report = larder_code_dropped(code, &error)));
    larder_report_free(report);
    everything(report);
    printf("freed\n");
    /* Something that was never an object of the library's. */
    long mine = 0;
    everything(&mine);
    printf("foreign\n");
    /* Of another type: nothing happens to it. */
    larder_error *wrong = NULL;
    if (larder_session_new(NULL, &wrong)) abort();
    everything(wrong);
    told("other type", wrong);
    larder_error_free(wrong);
    if (larder_error_get_kind(wrong) || *larder_error_message(wrong)) abort();

    /* A program is consumed by a load that fails, too. */
    larder_program *program = program_of("six", "define i64 @six() { ret i64 6 }");
    REFUSED(larder_load(NULL, program, NULL, &error));
    REFUSED(larder_load(session, program, NULL, &error));
    /* Code outlives its session and its larder. */
    larder_close(kitchen);
    larder_close(kitchen);
    larder_session_free(session);
    larder_session_free(session);
    call_and_print(code, "five");
    larder_code_free(code);
    larder_code_free(code);
    return 0;
}
