/* Larder: keeps a JIT's native code and gives it back at the next start.
 *
 * Applications that embed a JIT optimise and generate the same code again at every start. Larder saves it before its externals are
 * resolved, and a later process maps it and binds the externals then: no linker, no import library, no LLVM in the process (LLVM runs
 * in a worker program, larder-worker). So this library can be used beside any version of LLVM's own libraries.
 *
 *   larder_error *error = NULL;
 *   larder *kitchen = larder_open(NULL, &error);
 *   larder_session *session = larder_session_new(kitchen, &error);
 *   larder_session_define(session, "print_row", (const void *)print_row, &error);
 *
 *   larder_program *program = larder_program_new();
 *   larder_program_add_keyed(program, "query 17", key, key_len, build_ir, context, &error);   // build_ir runs on a miss only
 *   larder_code *code = larder_load(session, program, NULL, &error);
 *   if (!code) { fprintf(stderr, "%s\n", larder_error_message(error)); larder_error_free(error); return 1; }
 *
 *   int (*run)(int) = (int (*)(int))larder_code_function(code, "run", NULL);
 *   printf("%d\n", run(42));
 *   larder_code_free(code);                       // finalisers run, the code is unmapped
 *
 * docs/embedding.md tells what names that come later, heap objects, guards and dropped functions are.
 *
 * Ownership: a pointer to an object that a function returns is the caller's, and goes with the ..._free of its type (larder_close for a larder). Text that a
 * function returns belongs to the object that it was asked of, and is valid until that is freed; it is never NULL. Freeing NULL does nothing. Objects may be
 * freed in any order: a session keeps what it needs of its larder, code keeps what it needs of its session. Objects that callbacks get are
 * valid until the callback returns, and nobody else's to free.
 *
 * Strings are NUL-terminated UTF-8, copied by the callee. Bytes with a length are copied, too.
 *
 * Threads: any object may be used by any thread. Several threads may use the same object at once; a larder_settings, larder_options, larder_program or
 * larder_sink lets one at a time change it. Callbacks run on the thread that is told for each, and their contexts have to be good there.
 *
 * Errors: what can fail takes a larder_error ** and says by false or NULL that it failed. The place may be NULL; otherwise it gets an
 * error, which is the caller's to free. On success it is not touched. Objects are handles: one that is NULL, was freed already, or is of another
 * type is LARDER_ERROR_ARGUMENT, and freeing one twice does nothing. Functions without a larder_error ** answer 0, NULL or "" then.
 *
 * Exceptions: no function throws, but larder_try. A callback that throws a C++ exception fails: the exception is destroyed, and the
 * function in which the callback ran fails with LARDER_ERROR_CALLBACK, which tells the exception's type (after larder_load_in_background, that is
 * larder_loading_wait). The decider of larder_session_on_unusable may throw, see there. Callbacks must not leave by longjmp. An
 * exception that leaves an initialiser of loaded code is LARDER_ERROR_LOAD; one that leaves a finaliser ends the process, as natively.
 */
#ifndef LARDER_H
#define LARDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What this library is kept in: a store, and a worker. */
typedef struct larder larder;
/* Where things are. */
typedef struct larder_settings larder_settings;
/* How code is made. */
typedef struct larder_options larder_options;
/* What code is made from. */
typedef struct larder_program larder_program;
/* Loaded images and the symbols they see. */
typedef struct larder_session larder_session;
/* Code on its way. */
typedef struct larder_loading larder_loading;
/* A handle of loaded code. */
typedef struct larder_code larder_code;
/* Functions and what is the matter with them. */
typedef struct larder_report larder_report;
/* What went wrong. */
typedef struct larder_error larder_error;

/* ---- Versions ---------------------------------------------------------------------------------------------------------------- */

/* The library's version, "0.1.0". */
const char *larder_version(void);

/* ---- Errors ------------------------------------------------------------------------------------------------------------------ */

typedef enum larder_error_kind {
    LARDER_ERROR_ARGUMENT = 1,     /* an argument is NULL that must not be, an object was freed, a text is no UTF-8, a number is out of range */
    LARDER_ERROR_INPUT = 2,        /* an input can't be read, or its callback failed */
    LARDER_ERROR_COMPILE = 3,      /* the worker refused the input, crashed, ran out of time or memory, or isn't there */
    LARDER_ERROR_LINK = 4,         /* the objects don't make an image */
    LARDER_ERROR_UNRESOLVED = 5,   /* names that nobody answers to */
    LARDER_ERROR_LOAD = 6,         /* the image can't be loaded for another reason */
    LARDER_ERROR_CPU = 7,          /* the code needs CPU features that this machine lacks */
    LARDER_ERROR_NO_FUNCTION = 8,  /* the code offers no function of that name */
    LARDER_ERROR_MUST_HIT = 9,     /* nothing usable is saved, and LARDER_MUST_HIT forbids to compile */
    LARDER_ERROR_DIFFERENT = 10,   /* LARDER_CHECK found saved code that differs from what is compiled now */
    LARDER_ERROR_CANCELLED = 11,   /* larder_loading_cancel was called */
    LARDER_ERROR_SYSTEM = 12,      /* the operating system refused: memory, threads, files */
    LARDER_ERROR_INTERNAL = 13,    /* a fault of this library */
    LARDER_ERROR_UNUSABLE = 14,    /* a function waits for names, or was dropped and can't be compiled again */
    LARDER_ERROR_CALLBACK = 15     /* a callback of the host's threw an exception */
} larder_error_kind;

/* What kind of error it is. */
larder_error_kind larder_error_get_kind(const larder_error *error);
/* One or more lines for people, which say what to do. */
const char *larder_error_message(const larder_error *error);
/* Frees an error. */
void larder_error_free(larder_error *error);

/* ---- Settings: where things are. Nothing here reaches the code. ---------------------------------------------------------------- */

typedef enum larder_trust {
    LARDER_USUAL = 0,    /* what is saved is used, what isn't is compiled */
    LARDER_MUST_HIT = 1, /* what isn't saved is an error */
    LARDER_CHECK = 2     /* on a hit it is compiled all the same, and every byte compared */
} larder_trust;

typedef enum larder_event_kind {
    LARDER_EVENT_OTHER = 0,
    LARDER_EVENT_HIT = 1,
    LARDER_EVENT_MISS = 2,
    LARDER_EVENT_COMPILED = 3,
    LARDER_EVENT_LOADED = 4,
    LARDER_EVENT_DROPPED = 5,    /* a function can't be used, since its guards failed */
    LARDER_EVENT_RECOMPILED = 6, /* one was compiled again, or taken from the store in its place */
    LARDER_EVENT_FAILED = 7      /* something went wrong that is tried again later */
} larder_event_kind;

/* Hears what happens, on the thread where it happens; text is a line for people, valid during the call. */
typedef void (*larder_observer)(void *context, larder_event_kind kind, const char *text);

/* Settings as larder_open(NULL) has them. */
larder_settings *larder_settings_new(void);
/* Frees settings. A larder that was opened with them doesn't need them any more. */
void larder_settings_free(larder_settings *settings);
/* The store's directory; without it, LARDER_DIR, or "larder" in the user's cache directory. */
bool larder_settings_set_store(larder_settings *settings, const char *dir, larder_error **error);
/* No store: everything is compiled, nothing is kept. */
bool larder_settings_set_store_off(larder_settings *settings, larder_error **error);
/* Bytes above which the store drops what was not used for longest. */
bool larder_settings_set_store_size_max(larder_settings *settings, uint64_t bytes, larder_error **error);
/* The worker program; without it, LARDER_WORKER, beside this program or below the prefix that it is installed in, or in PATH. */
bool larder_settings_set_worker(larder_settings *settings, const char *path, larder_error **error);
/* The longest time that a compilation may take, in milliseconds; 0 for as long as it takes. */
bool larder_settings_set_timeout_ms(larder_settings *settings, uint64_t milliseconds, larder_error **error);
/* The most memory that the worker may have, in bytes of address space; 0 for no limit. */
bool larder_settings_set_memory_max(larder_settings *settings, uint64_t bytes, larder_error **error);
/* Threads that generate code; 0 for one on each core. */
bool larder_settings_set_threads(larder_settings *settings, uint32_t count, larder_error **error);
/* Whether saved code is believed, and whether it is made. */
bool larder_settings_set_trust(larder_settings *settings, larder_trust trust, larder_error **error);
/* Who hears what happens. The context has to stay as long as the larder and its sessions. Events may come from many threads at once. */
bool larder_settings_set_observer(larder_settings *settings, larder_observer observer, void *context, larder_error **error);

/* Opens the store; settings may be NULL, and stay the caller's. A store that can't be used is no error: code is compiled and not kept, and
 * larder_code_warning says so. */
larder *larder_open(const larder_settings *settings, larder_error **error);
/* Frees a larder. Sessions of it go on. */
void larder_close(larder *larder);

typedef struct larder_counts {
    uint64_t hits, misses;                  /* requests for which saved code was used, and for which it wasn't */
    uint64_t compiled, loaded;              /* programs that were compiled, images that were loaded */
    uint64_t dropped, recompiled;           /* functions whose guards failed, functions that were compiled again */
    uint64_t compile_time_us, load_time_us; /* time that all of that took, in microseconds */
} larder_counts;

/* What happened so far. */
bool larder_get_counts(const larder *larder, larder_counts *counts, larder_error **error);

/* ---- Options: what reaches the code, and the key ------------------------------------------------------------------------------- */

typedef enum larder_split {
    LARDER_SPLIT_AUTO = 0,  /* large modules before they are optimised, others after */
    LARDER_SPLIT_WHOLE = 1, /* after it was optimised as a whole: the best code */
    LARDER_SPLIT_GROUPS = 2 /* before: an edit costs the groups of functions that it is about */
} larder_split;

typedef enum larder_raw_pointers {
    LARDER_RAW_IGNORE = 0, /* integers are integers */
    LARDER_RAW_RESCUE = 1, /* addresses in a region become its object and an offset; functions with others run in this process only */
    LARDER_RAW_STRICT = 2, /* the same, and addresses in no region are LARDER_ERROR_COMPILE */
    LARDER_RAW_MAPPED = 3  /* the default: as RESCUE, of addresses in regions and of memory that is mapped; other integers are integers */
} larder_raw_pointers;

/* -O2 for this machine, every visible name is offered, the module is saved with the code. */
larder_options *larder_options_new(void);
/* Frees options. */
void larder_options_free(larder_options *options);
/* '0', '1', '2', '3', 's' or 'z'. */
bool larder_options_set_level(larder_options *options, char level, larder_error **error);
/* LLVM passes instead of the level's own, as `opt -passes=` takes them; NULL for the level's own. */
bool larder_options_set_passes(larder_options *options, const char *passes, larder_error **error);
/* "native", "baseline" (what every machine of a fleet has), "x86-64-v2", "x86-64-v3" or "x86-64-v4"; features like "+avx2,-sse4a" or NULL. */
bool larder_options_set_cpu(larder_options *options, const char *cpu, const char *features, larder_error **error);
/* Offers these names and nothing else; what they don't reach is left out. */
bool larder_options_set_exports(larder_options *options, const char *const *names, size_t count, larder_error **error);
/* Whether the image carries the module: dropped functions are compiled again from it, and it is rebuilt from it on another machine. */
bool larder_options_set_keep_source(larder_options *options, bool keep, larder_error **error);
/* Whether the modules of a program are optimised as one. */
bool larder_options_set_lto(larder_options *options, bool lto, larder_error **error);
/* When a module is taken apart for several threads, and for the next time. */
bool larder_options_set_split(larder_options *options, larder_split split, larder_error **error);
/* What is done about addresses of this process that stand in modules as integers (inttoptr). Such modules need a key of the caller's, since their bytes
 * differ in every process: by default, what is made of them without one is not kept, and a warning says so. larder_code_raw_pointers tells what was found. */
bool larder_options_set_raw_pointers(larder_options *options, larder_raw_pointers raw_pointers, larder_error **error);

/* ---- Programs: what goes in ---------------------------------------------------------------------------------------------------- */

/* Takes what a build callback makes. */
typedef struct larder_sink larder_sink;
/* Takes bytes, behind those that it took before. */
void larder_sink_write(larder_sink *sink, const void *bytes, size_t len);
/* Says why there is nothing; the text is copied. */
void larder_sink_fail(larder_sink *sink, const char *why);

/* Makes an input's bytes, on a miss only. Runs on the thread that loads. */
typedef void (*larder_build)(void *context, larder_sink *sink);

/* A program without inputs. */
larder_program *larder_program_new(void);
/* Frees a program that was not loaded. */
void larder_program_free(larder_program *program);
/* Adds a file. Inputs stand in the order of a link line: modules (bitcode of any LLVM that LLVM 22 reads, or text), relocatable ELF objects, or archives of
 * either; which of them it is, its first bytes say. */
bool larder_program_add_file(larder_program *program, const char *path, larder_error **error);
/* Adds an input in memory. The name is for messages. */
bool larder_program_add_bytes(larder_program *program, const char *name, const void *bytes, size_t len, larder_error **error);
/* Adds an input that build makes on a miss; a hit never calls it. Equal keys must mean equal bytes: put into the key whatever they depend on. */
bool larder_program_add_keyed(larder_program *program, const char *name, const void *key, size_t key_len, larder_build build,
                              void *context, larder_error **error);

/* ---- Sessions: images and the symbols they see ----------------------------------------------------------------------------------- */

/* A session without symbols. */
larder_session *larder_session_new(const larder *larder, larder_error **error);
/* Frees a session. Code of it stays as long as there are handles. */
void larder_session_free(larder_session *session);
/* Hands in a name, of a function or of data. It replaces earlier definitions for images that are loaded after it, and functions that wait for it can be called
 * from then on. The address stays valid, and of the type that modules declare, as long as such images are loaded. */
bool larder_session_define(const larder_session *session, const char *name, const void *address, larder_error **error);
/* Hands in a whole table of names at once. */
bool larder_session_define_all(const larder_session *session, const char *const *names, const void *const *addresses, size_t count,
                               larder_error **error);
/* Takes a definition back, for later images; whether there was one. */
bool larder_session_undefine(const larder_session *session, const char *name);
/* Lets images see what dlsym sees. */
bool larder_session_use_process_symbols(const larder_session *session, larder_error **error);
/* Answers names that nobody else knows; NULL for "I don't know it". Runs on threads that load. The context stays as long as the session and its code. */
typedef const void *(*larder_resolver)(void *context, const char *name);
/* Asks a callback for names that nobody else knows. Of several, the first that knows a name answers. */
bool larder_session_resolve_with(const larder_session *session, larder_resolver resolver, void *context, larder_error **error);
/* Keeps code as long as the session, whatever becomes of its handles. */
bool larder_session_keep(const larder_session *session, const larder_code *code, larder_error **error);
/* Undoes it; whether the code was kept. */
bool larder_session_release(const larder_session *session, const larder_code *code);

/* ---- Names that come later --------------------------------------------------------------------------------------------------------- */

typedef enum larder_deferral {
    LARDER_DEFER_FUNCTION = 1, /* it is a function: data may point to it before it is there */
    LARDER_DEFER_DATA = 2      /* it may be data: an image whose own data points to it is LARDER_ERROR_LOAD */
} larder_deferral;

/* Says that a name is going to be defined later, by the host or by an image. Images are loaded without it meanwhile: their functions that use it wait, and
 * larder_code_waiting lists them. larder_code_function of one is LARDER_ERROR_UNUSABLE, and a call of one is one that can't be made. */
bool larder_session_defer(const larder_session *session, const char *name, larder_deferral kind, larder_error **error);

/* ---- Heap objects and guards: what code counts on ---------------------------------------------------------------------------------- */

/* Hands in a heap object: !larder.object in IR asks for it by this name. Where the fingerprint is another than code was made for, the functions that use the
 * object are dropped from images that are loaded from now on. */
bool larder_session_define_object(const larder_session *session, const char *name, const void *address, uint64_t fingerprint,
                                  larder_error **error);
/* The same for an object of len bytes. Raw addresses of these bytes in a module that is compiled with LARDER_RAW_RESCUE become the object and an offset. */
bool larder_session_define_region(const larder_session *session, const char *name, const void *address, uint64_t len,
                                  uint64_t fingerprint, larder_error **error);
/* Takes an object back, for later images; whether there was one. */
bool larder_session_forget_object(const larder_session *session, const char *name);
/* Answers objects that were not handed in by name: writes where the object is and its fingerprint, or returns false for "there is none". Runs on threads that
 * load. The context stays as long as the session and its code. */
typedef bool (*larder_object_resolver)(void *context, const char *name, const void **address, uint64_t *fingerprint);
/* Asks a callback for objects that were not handed in by name. Of several, the first that knows one answers. */
bool larder_session_resolve_objects_with(const larder_session *session, larder_object_resolver resolver, void *context,
                                         larder_error **error);
/* Answers a condition for its arguments, or returns false for "I don't know". Runs on threads that load. The context stays as long as the session and its
 * code. */
typedef bool (*larder_predicate)(void *context, const char *arguments, uint64_t *answer);
/* Hands in a condition that code may have been made for: !larder.guard in IR names it, with arguments and the answer it had. Where the answer is another, the
 * functions that count on it are dropped. */
bool larder_session_define_predicate(const larder_session *session, const char *name, larder_predicate predicate, void *context,
                                     larder_error **error);
/* Says that objects have moved: a collector's. All images that use them, now and later, use them where they are now. Threads may be running code; what they
 * have loaded from the old places they still use, so the collector sees to it that none does. The objects are at these addresses as long
 * as code uses them. */
bool larder_session_move_objects(const larder_session *session, const char *const *names, const void *const *addresses, size_t count,
                                 larder_error **error);

/* ---- Functions that can't be used as they are --------------------------------------------------------------------------------------- */

/* What becomes of a dropped function, in this order: calls go to the fallback that IR names ("larder-fallback"); the host makes new code
 * (larder_session_recompile_with); the module that the image carries is compiled again for that function, without the contents of objects that have changed;
 * or a call of it is one that can't be made (larder_session_on_unusable). */

/* Makes new code for a dropped function: adds inputs to the program that define a function of that name and type, for what the host's objects are now. An input
 * may have a key, so that a later start makes nothing. A program without inputs says that there is none. The report tells the function, and its
 * guards that failed. Runs on the thread that calls the function, or as larder_recompile says; the context stays as long as the session and its code. */
typedef void (*larder_recompiler)(void *context, const larder_report *dropped, larder_program *program);
/* Asks a callback for code of functions that were dropped. Another one replaces it. */
bool larder_session_recompile_with(const larder_session *session, larder_recompiler recompiler, void *context, larder_error **error);

typedef enum larder_recompile {
    LARDER_LAZILY = 0,       /* when they are first called */
    LARDER_EAGERLY = 1,      /* before their code is handed out: one that can't be is LARDER_ERROR_UNUSABLE */
    LARDER_IN_BACKGROUND = 2 /* on a thread of their own that begins with the load */
} larder_recompile;

/* Says when dropped functions are compiled again, for images that are loaded from now on. */
bool larder_session_recompile_when(const larder_session *session, larder_recompile when, larder_error **error);

/* Decides where a call goes that can't be made: to a function of the same type, which stays as long as the code; NULL for "nowhere". The report tells the
 * function and what is the matter with it, larder_report_message all of it in a sentence. Runs on the thread that calls; the context stays as
 * long as the session and its code. It may throw a C++ exception, which passes through the frames of the code to whoever called it. */
typedef const void *(*larder_decider)(void *context, const larder_report *call);
/* Asks a callback about calls that can't be made. Another one replaces it. */
bool larder_session_on_unusable(const larder_session *session, larder_decider decider, void *context, larder_error **error);

/* Calls a function of the host's, which calls code. If that comes to a function that can't be called, and nobody decides otherwise, the frames in between are
 * unwound (destructors run), and this is LARDER_ERROR_UNUSABLE. Without larder_try around it, such a call ends the process. Frames without unwind
 * information can't be unwound: compile IR functions without `nounwind`, or with `uwtable`, and don't catch (...) in between. C++
 * exceptions of the host's own pass through larder_try. */
bool larder_try(void (*body)(void *context), void *context, larder_error **error);

/* ---- Loading ----------------------------------------------------------------------------------------------------------------------- */

/* Takes the program's code from the store, or compiles it; binds it, runs its initialisers. The program is consumed, whatever comes of it; options
 * may be NULL. This runs the program's code: its inputs are trusted. */
larder_code *larder_load(const larder_session *session, larder_program *program, const larder_options *options, larder_error **error);
/* Loads an image that `larder build` made. Nobody may write to the file while it is loaded. */
larder_code *larder_load_image(const larder_session *session, const char *path, const larder_options *options, larder_error **error);
/* The same as larder_load, on a thread of its own, on which callbacks of the program and initialisers run, too. */
larder_loading *larder_load_in_background(const larder_session *session, larder_program *program, const larder_options *options,
                                          larder_error **error);
/* How much is compiled, from 0 to 1. */
float larder_loading_progress(const larder_loading *loading);
/* Whether larder_loading_wait answers at once. */
bool larder_loading_is_finished(const larder_loading *loading);
/* Gives it up. What was compiled so far is kept for the next time. */
void larder_loading_cancel(larder_loading *loading);
/* The code, once it is there. Frees the loading. */
larder_code *larder_loading_wait(larder_loading *loading, larder_error **error);
/* Gives it up, and returns once nothing of it runs any more: callbacks are called no longer. */
void larder_loading_free(larder_loading *loading);

/* ---- Code -------------------------------------------------------------------------------------------------------------------------- */

typedef void (*larder_function)(void);

/* One more handle of the same code. */
larder_code *larder_code_retain(const larder_code *code, larder_error **error);
/* Lets go of a handle. With the last one, unless other code is bound to it, finalisers run and the code is unmapped: pointers to its functions must not
 * be called any more. */
void larder_code_free(larder_code *code);
/* An exported function, to be cast to its type. It is good for as long as the code is loaded. */
larder_function larder_code_function(const larder_code *code, const char *name, larder_error **error);
/* Address of an exported function or variable (the calling thread's, for a thread-local one); NULL if there is none. */
void *larder_code_symbol(const larder_code *code, const char *name);
/* What messages call it: the name of its first input. */
const char *larder_code_name(const larder_code *code);
/* The image's file. */
const char *larder_code_path(const larder_code *code);
/* Whether saved code is used. */
bool larder_code_is_hit(const larder_code *code);
/* "hit", or "miss (REASON): words". */
const char *larder_code_outcome(const larder_code *code);
/* The key in hexadecimal digits; "" for an image that was loaded by its name. */
const char *larder_code_key(const larder_code *code);
/* How many things went wrong without harm. */
size_t larder_code_warning_count(const larder_code *code);
/* One of them, in a sentence. */
const char *larder_code_warning(const larder_code *code, size_t index);

/* ---- Reports: functions, and what is the matter with them ---------------------------------------------------------------------------- */

typedef enum larder_cause {
    LARDER_CAUSE_NONE = 0,        /* there is no such row */
    LARDER_CAUSE_DEFERRED = 1,    /* the function waits for this name */
    LARDER_CAUSE_MISSING = 2,     /* the host has no object of this name */
    LARDER_CAUSE_CHANGED = 3,     /* the host's object has another fingerprint */
    LARDER_CAUSE_PREDICATE = 4,   /* the condition has another answer, or none */
    LARDER_CAUSE_RESCUED = 5,     /* raw addresses became objects and offsets */
    LARDER_CAUSE_THIS_PROCESS = 6 /* raw addresses lie in no region: the function runs in this process only */
} larder_cause;

/* Functions that wait now, with the names they wait for. */
larder_report *larder_code_waiting(const larder_code *code, larder_error **error);
/* Functions that were dropped when the code was loaded, with the guards that failed. */
larder_report *larder_code_dropped(const larder_code *code, larder_error **error);
/* Functions, and variables with initial values, in which raw addresses were found; no rows for a hit. */
larder_report *larder_code_raw_pointers(const larder_code *code, larder_error **error);
/* Frees a report. */
void larder_report_free(larder_report *report);
/* What messages call the code. */
const char *larder_report_code(const larder_report *report);
/* What a decider is told, in a sentence; "" for other reports. */
const char *larder_report_message(const larder_report *report);
/* Number of rows: one for each function and cause. */
size_t larder_report_count(const larder_report *report);
/* The function of a row. */
const char *larder_report_function(const larder_report *report, size_t row);
/* What is the matter with it. */
larder_cause larder_report_cause(const larder_report *report, size_t row);
/* The name that is waited for, the object, or the condition; "" for raw addresses. */
const char *larder_report_name(const larder_report *report, size_t row);
/* What the condition was asked about; "" for other causes. */
const char *larder_report_arguments(const larder_report *report, size_t row);
/* The fingerprint or the answer that the code was made for; 0 for other causes. */
uint64_t larder_report_expected(const larder_report *report, size_t row);
/* The fingerprint or the answer now; 0 if there is none. */
uint64_t larder_report_found(const larder_report *report, size_t row);
/* A sentence for people. */
const char *larder_report_text(const larder_report *report, size_t row);

#ifdef __cplusplus
}
#endif
#endif
