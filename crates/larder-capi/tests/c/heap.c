/* Names that come later, heap objects, guards and functions that are compiled again, from C. Prints what heap.rs expects. */
#include "common.h"

static larder *kitchen;

static larder_session *new_session(void) {
    larder_session *session = NULL;
    MUST((session = larder_session_new(kitchen, &error)));
    return session;
}

static const char LATER[] =
    "declare i64 @later()\n"
    "@pointer = global ptr @later\n"
    "define i64 @calls_it() uwtable { %v = call i64 @later() ret i64 %v }\n"
    "define i64 @through_pointer() uwtable { %p = load ptr, ptr @pointer %v = call i64 %p() ret i64 %v }\n"
    "define i64 @free() uwtable { ret i64 5 }\n";

static long later(void) { return 77; }
static long instead(void) { return -1; }

static const void *decide(void *context, const larder_report *call) {
    printf("decide: %s: %s\n", larder_report_function(call, 0), larder_report_message(call));
    return *(int *)context ? (const void *)instead : NULL;
}

static void names_come_later(void) {
    int decided = 0;
    larder_session *session = new_session();
    MUST(larder_session_defer(session, "later", LARDER_DEFER_FUNCTION, &error));
    larder_code *code = load(session, "later", LATER);
    larder_report *report = NULL;
    MUST((report = larder_code_waiting(code, &error)));
    print_report("waiting", report);
    larder_error *error = NULL;
    if (larder_code_function(code, "calls_it", &error)) abort();
    told("calls_it", error);
    call_and_print(code, "through_pointer");
    MUST(larder_session_on_unusable(session, decide, &decided, &error));
    call_and_print(code, "through_pointer");
    decided = 1;
    call_and_print(code, "through_pointer");
    MUST(larder_session_define(session, "later", (const void *)later, &error));
    call_and_print(code, "calls_it");
    call_and_print(code, "through_pointer");
    MUST((report = larder_code_waiting(code, &error)));
    print_report("waiting", report);
    larder_code_free(code);
    larder_session_free(session);
}

static const char TABLES[] =
    "@table = external global i64, !larder.object !0\n"
    "@other = external global i64, !larder.object !1\n"
    "!larder.guards = !{!2}\n"
    "!0 = !{!\"table\", i64 7}\n"
    "!1 = !{!\"other\", i64 8}\n"
    "!2 = !{!\"layout\", !\"point, 2\", i64 16}\n"
    "define i64 @use_table() uwtable { %v = load i64, ptr @table ret i64 %v }\n"
    "define i64 @use_other() uwtable { %v = load i64, ptr @other ret i64 %v }\n"
    "define i64 @use_layout() uwtable !larder.guard !2 { ret i64 16 }\n"
    "define i64 @free() uwtable { ret i64 5 }\n";

static long table = 40, moved = 50, other = 60;

static bool resolve_object(void *context, const char *name, const void **address, uint64_t *fingerprint) {
    if (strcmp(name, "other") != 0) return false;
    ++*(int *)context;
    *address = &other;
    *fingerprint = 8;
    return true;
}

static bool layout(void *context, const char *arguments, uint64_t *answer) {
    *answer = *(uint64_t *)context;
    return strcmp(arguments, "point, 2") == 0;
}

static void objects(void) {
    uint64_t size = 16;
    int asked = 0;
    larder_session *session = new_session();
    MUST(larder_session_define_object(session, "table", &table, 7, &error));
    MUST(larder_session_resolve_objects_with(session, resolve_object, &asked, &error));
    MUST(larder_session_define_predicate(session, "layout", layout, &size, &error));
    larder_code *code = load(session, "tables", TABLES);
    print_dropped(code);
    call_and_print(code, "use_table");
    call_and_print(code, "use_other");
    const char *name = "table";
    const void *place = &moved;
    MUST(larder_session_move_objects(session, &name, &place, 1, &error));
    call_and_print(code, "use_table");
    larder_code_free(code);

    /* The table has changed, the layout too, and the other object is gone. */
    larder_session_free(session);
    session = new_session();
    size = 24;
    MUST(larder_session_define_object(session, "table", &table, 9, &error));
    MUST(larder_session_define_predicate(session, "layout", layout, &size, &error));
    code = load(session, "tables", TABLES);
    printf("asked: %d, hit: %d\n", asked, larder_code_is_hit(code));
    print_dropped(code);
    call_and_print(code, "free");
    call_and_print(code, "use_layout");
    larder_code_free(code);
    printf("forgotten: %d", larder_session_forget_object(session, "table"));
    printf(" %d\n", larder_session_forget_object(session, "table"));
    larder_session_free(session);
}

static void make_anew(void *context, const larder_report *dropped, larder_program *program) {
    const char *function = larder_report_function(dropped, 0);
    printf("make %s: cause %d of %s\n", function, (int)larder_report_cause(dropped, 0), larder_report_name(dropped, 0));
    if (strcmp(function, "use_table") == 0) {
        const char *key = "use_table 9";
        const char *ir = "declare i64 @free()\n"
                         "define i64 @use_table() uwtable { %v = call i64 @free() %w = add i64 %v, 1000 ret i64 %w }\n";
        MUST(larder_program_add_keyed(program, key, key, strlen(key), build_text, (void *)ir, &error));
    } else if (strcmp(function, "use_other") == 0) {
        MUST(larder_program_add_file(program, (const char *)context, &error));
    }
}

static larder_session *with_changed_table(char *object, larder_recompile when) {
    static uint64_t size = 16;
    larder_session *session = new_session();
    MUST(larder_session_define_object(session, "table", &table, 9, &error));
    MUST(larder_session_define_predicate(session, "layout", layout, &size, &error));
    MUST(larder_session_recompile_with(session, make_anew, object, &error));
    MUST(larder_session_recompile_when(session, when, &error));
    return session;
}

static void made_anew(char *object) {
    static const larder_recompile times[] = {LARDER_LAZILY, LARDER_EAGERLY, LARDER_IN_BACKGROUND};
    for (int time = 0; time < 2; time++) {
        printf("when %d\n", (int)times[time]);
        larder_session *session = with_changed_table(object, times[time]);
        larder_code *code = load(session, "tables", TABLES);
        printf("loaded\n");
        call_and_print(code, "use_table");
        call_and_print(code, "use_other");
        call_and_print(code, "use_table");
        larder_code_free(code);
        larder_session_free(session);
    }
    larder_session *session = with_changed_table(object, LARDER_EAGERLY);
    larder_error *error = NULL;
    MUST(larder_session_define_predicate(session, "layout", layout, &(uint64_t){17}, &error));
    if (larder_load(session, program_of("tables", TABLES), NULL, &error)) abort();
    told("eagerly", error);
    larder_session_free(session);
}

static const char CONTENTS[] =
    "@table = available_externally constant [2 x i64] [i64 3, i64 4], !larder.object !0\n"
    "!0 = !{!\"table\", i64 7}\n"
    "define i64 @product() uwtable {\n"
    "  %a = load i64, ptr @table\n"
    "  %p = getelementptr [2 x i64], ptr @table, i64 0, i64 1\n"
    "  %b = load i64, ptr %p\n"
    "  %m = mul i64 %a, %b\n"
    "  ret i64 %m\n"
    "}\n";

static void from_the_saved_module(void) {
    static const long contents[2][2] = {{3, 4}, {5, 6}};
    for (int change = 0; change < 2; change++) {
        larder_session *session = new_session();
        MUST(larder_session_define_object(session, "table", contents[change], 7 + change, &error));
        MUST(larder_session_recompile_when(session, LARDER_IN_BACKGROUND, &error));
        larder_code *code = load(session, "contents", CONTENTS);
        call_and_print(code, "product");
        larder_code_free(code);
        larder_session_free(session);
    }
}

static void raw_pointers(void) {
    static long numbers[3] = {10, 20, 30}, lonely = 99;
    char ir[512];
    snprintf(ir, sizeof ir,
             "define i64 @known() uwtable { %%v = load i64, ptr inttoptr (i64 %zu to ptr) ret i64 %%v }\n"
             "define i64 @unknown() uwtable { %%v = load i64, ptr inttoptr (i64 %zu to ptr) ret i64 %%v }\n",
             (size_t)(numbers + 2), (size_t)&lonely);
    larder_session *session = new_session();
    MUST(larder_session_define_region(session, "numbers", numbers, sizeof numbers, 1, &error));
    larder_options *options = larder_options_new();
    MUST(larder_options_set_raw_pointers(options, LARDER_RAW_RESCUE, &error));
    larder_code *code = NULL;
    MUST((code = larder_load(session, program_of("raw", ir), options, &error)));
    call_and_print(code, "known");
    call_and_print(code, "unknown");
    larder_report *report = NULL;
    MUST((report = larder_code_raw_pointers(code, &error)));
    for (size_t row = 0; row < larder_report_count(report); row++)
        printf("raw %s: cause %d\n", larder_report_function(report, row), (int)larder_report_cause(report, row));
    larder_report_free(report);
    larder_code_free(code);
    MUST(larder_options_set_raw_pointers(options, LARDER_RAW_STRICT, &error));
    larder_error *error = NULL;
    if (larder_load(session, program_of("raw", ir), options, &error)) abort();
    printf("strict: error %d\n", (int)larder_error_get_kind(error));
    larder_error_free(error);
    larder_options_free(options);
    larder_session_free(session);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    kitchen = kitchen_in(argv[1]);
    names_come_later();
    objects();
    made_anew(argv[2]);
    from_the_saved_module();
    raw_pointers();
    larder_counts counts;
    MUST(larder_get_counts(kitchen, &counts, &error));
    printf("counted: dropped %d, recompiled %d\n", (int)counts.dropped, (int)counts.recompiled);
    larder_close(kitchen);
    return 0;
}
