// Exceptions of C++ at the border: callbacks that throw, a decider that throws on purpose. Prints what exceptions.rs expects.
#include "common.h"
#include <exception>
#include <stdexcept>
#include <string>

struct Counted : std::runtime_error {
    static int alive;
    Counted(const char *why) : std::runtime_error(why) { alive++; }
    Counted(const Counted &other) : std::runtime_error(other) { alive++; }
    ~Counted() override { alive--; }
};
int Counted::alive = 0;

[[noreturn]] static void fail(const char *why) { throw Counted(why); }

static larder *kitchen;

static larder_session *new_session() {
    larder_session *session = nullptr;
    MUST((session = larder_session_new(kitchen, &error)));
    return session;
}

static void refused(const char *what, larder_session *session, larder_program *program) {
    larder_error *error = nullptr;
    larder_code *code = larder_load(session, program, nullptr, &error);
    if (code) printf("%s: loaded\n", what);
    else told(what, error);
    larder_code_free(code);
    larder_session_free(session);
}

static const char GUARDED[] = "@table = external global i64, !larder.object !0\n"
                              "!larder.guards = !{!1}\n"
                              "!0 = !{!\"table\", i64 7}\n"
                              "!1 = !{!\"layout\", !\"\", i64 1}\n"
                              "define i64 @use_table() uwtable { %v = load i64, ptr @table ret i64 %v }\n"
                              "define i64 @use_layout() uwtable !larder.guard !1 { ret i64 16 }\n";

static void callbacks() {
    larder_program *program = larder_program_new();
    auto build = [](void *, larder_sink *) { fail("build"); };
    MUST(larder_program_add_keyed(program, "build", "build", 5, build, nullptr, &error));
    refused("build", new_session(), program);

    larder_session *session = new_session();
    auto resolve = [](void *, const char *) -> const void * { fail("resolve"); };
    MUST(larder_session_resolve_with(session, resolve, nullptr, &error));
    refused("resolver", session, program_of("resolver", "declare void @f() define void @g() { call void @f() ret void }"));

    session = new_session();
    auto object = [](void *, const char *, const void **, uint64_t *) -> bool { throw 5; };
    MUST(larder_session_resolve_objects_with(session, object, nullptr, &error));
    refused("object resolver", session, program_of("guarded", GUARDED));

    session = new_session();
    auto predicate = [](void *, const char *, uint64_t *) -> bool { throw std::string("no layout"); };
    MUST(larder_session_define_predicate(session, "layout", predicate, nullptr, &error));
    refused("predicate", session, program_of("guarded", GUARDED));

    session = new_session();
    auto recompile = [](void *, const larder_report *, larder_program *) { fail("recompile"); };
    MUST(larder_session_recompile_with(session, recompile, nullptr, &error));
    MUST(larder_session_recompile_when(session, LARDER_EAGERLY, &error));
    refused("recompiler, eagerly", session, program_of("guarded", GUARDED));

    session = new_session();
    MUST(larder_session_recompile_with(session, recompile, nullptr, &error));
    larder_code *code = load(session, "guarded", GUARDED);
    call_and_print(code, "use_table");
    call_and_print(code, "use_layout");
    larder_code_free(code);

    larder_loading *loading = nullptr;
    program = larder_program_new();
    MUST(larder_program_add_keyed(program, "build", "build", 5, build, nullptr, &error));
    MUST((loading = larder_load_in_background(session, program, nullptr, &error)));
    larder_error *error = nullptr;
    if (larder_loading_wait(loading, &error)) abort();
    told("background", error);
    larder_session_free(session);
}

static void observers(const char *store) {
    larder_settings *settings = larder_settings_new();
    MUST(larder_settings_set_store(settings, store, &error));
    auto observe = [](void *, larder_event_kind, const char *) { fail("observe"); };
    MUST(larder_settings_set_observer(settings, observe, nullptr, &error));
    larder *other = nullptr;
    MUST((other = larder_open(settings, &error)));
    larder_settings_free(settings);
    larder_session *session = nullptr;
    MUST((session = larder_session_new(other, &error)));
    refused("observer", session, program_of("five", "define i64 @five() { ret i64 5 }"));
    larder_close(other);
}

static const char INITIALISED[] = "@llvm.global_ctors = appending global [1 x { i32, ptr, ptr }] [{ i32, ptr, ptr } { i32 65535, ptr @start, ptr null }]\n"
                                  "declare void @fail()\n"
                                  "define internal void @start() uwtable { call void @fail() ret void }\n"
                                  "define i64 @five() uwtable { ret i64 5 }\n";

// Code whose initialiser throws is not there. What it is bound to stays as long as it does.
static void initialisers() {
    larder_session *session = new_session();
    auto throwing = +[]() { fail("initialiser"); };
    MUST(larder_session_define(session, "fail", reinterpret_cast<const void *>(throwing), &error));
    refused("initialiser", session, program_of("initialised", INITIALISED));
}

// An exception that the decider throws passes through the code, and through larder_try, to who called it.
static void deciders() {
    larder_session *session = new_session();
    auto decide = [](void *, const larder_report *call) -> const void * { throw std::runtime_error(larder_report_message(call)); };
    MUST(larder_session_on_unusable(session, decide, nullptr, &error));
    larder_code *code = load(session, "guarded", GUARDED);
    auto use_table = reinterpret_cast<long (*)()>(larder_code_function(code, "use_table", nullptr));
    try {
        printf("use_table: %ld\n", use_table());
    } catch (const std::runtime_error &error) {
        printf("caught: %s\n", error.what());
    }
    try {
        call_and_print(code, "use_table");
    } catch (const std::runtime_error &error) {
        printf("caught through larder_try: %s\n", error.what());
    }
    larder_code_free(code);
    larder_session_free(session);
}

struct Destroyed {
    ~Destroyed() { printf("destroyed\n"); }
};

// What can't be called unwinds frames of C++.
static void frames() {
    larder_session *session = new_session();
    larder_code *code = load(session, "guarded", GUARDED);
    larder_error *error = nullptr;
    auto body = [](void *context) {
        Destroyed object;
        auto use_table = reinterpret_cast<long (*)()>(larder_code_function(static_cast<larder_code *>(context), "use_table", nullptr));
        printf("use_table: %ld\n", use_table());
    };
    if (larder_try(body, code, &error)) abort();
    told("frames", error);
    larder_code_free(code);
    larder_session_free(session);
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    kitchen = kitchen_in(argv[1]);
    callbacks();
    observers(argv[1]);
    initialisers();
    deciders();
    frames();
    printf("alive: %d, uncaught: %d\n", Counted::alive, std::uncaught_exceptions());
    larder_close(kitchen);
}
