/* Larder: keeps a JIT's native code and gives it back at the next start.
 *
 * Applications that embed a JIT optimise and generate the same code again at every start. Larder saves it before its externals are
 * resolved, and a later process maps it and binds the externals then: no linker, no import library, no LLVM in the process (LLVM runs
 * in a worker program, larder-worker). So this library can be used beside any version of LLVM's own libraries.
 *
 *   larder *kitchen = larder_open(NULL);
 *   larder_session *session = larder_session_new(kitchen);
 *   larder_session_define(session, "print_row", (const void *)print_row);
 *
 *   larder_program *program = larder_program_new();
 *   larder_program_add_keyed(program, "query 17", key, key_len, build_ir, context);   // build_ir runs on a miss only
 *   larder_error *error = NULL;
 *   larder_code *code = larder_load(session, program, NULL, &error);
 *   if (!code) { fprintf(stderr, "%s\n", larder_error_message(error)); larder_error_free(error); return 1; }
 *
 *   int (*run)(int) = (int (*)(int))larder_code_function(code, "run", NULL);
 *   printf("%d\n", run(42));
 *   larder_code_free(code);                       // finalisers run, the code is unmapped
 *
 * Ownership: what a function named ..._new, ..._open, larder_load... or ..._retain returns is the caller's, and goes with the ..._free of its
 * type. Everything else that is returned by pointer belongs to the object that it was asked of, and is valid as long as that object.
 * Freeing NULL does nothing. Objects may be freed in any order: a session keeps what it needs of its larder, code keeps what it needs of its session.
 *
 * Strings are NUL-terminated UTF-8, copied by the callee. Bytes with a length are copied, too.
 *
 * Threads: larder, larder_session and larder_code may be used by many threads at once. All other objects belong to one thread at a time.
 * Callbacks run on the thread that is told for each; they must not throw C++ exceptions nor longjmp, unless it is said that they may.
 *
 * Errors: a function that can fail takes a larder_error **. It may be NULL. On failure it gets an error, which is the caller's to free; on success it
 * is not touched. No function ends the process, and no exception leaves one, but those of the loaded code's own initialisers and
 * finalisers, which run in larder_load... and in the last larder_code_free.
 */
#ifndef LARDER_H
#define LARDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct larder larder;
typedef struct larder_settings larder_settings;
typedef struct larder_options larder_options;
typedef struct larder_program larder_program;
typedef struct larder_session larder_session;
typedef struct larder_loading larder_loading;
typedef struct larder_code larder_code;
typedef struct larder_error larder_error;

/* ---- Versions ---------------------------------------------------------------------------------------------------------------- */

/* The library's version, "0.1.0". */
const char *larder_version(void);

/* ---- Errors ------------------------------------------------------------------------------------------------------------------ */

typedef enum larder_error_kind {
    LARDER_ERROR_ARGUMENT = 1,     /* an argument is NULL that must not be, or no UTF-8, or out of range */
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
    LARDER_ERROR_INTERNAL = 13     /* a fault of this library */
} larder_error_kind;

larder_error_kind larder_error_get_kind(const larder_error *error);
/* One or more lines for people, which say what to do. */
const char *larder_error_message(const larder_error *error);
void larder_error_free(larder_error *error);

/* ---- Settings: where things are. Nothing here reaches the code. ---------------------------------------------------------------- */

typedef enum larder_trust {
    LARDER_USUAL = 0,    /* what is saved is used, what isn't is compiled */
    LARDER_MUST_HIT = 1, /* what isn't saved is an error */
    LARDER_CHECK = 2     /* on a hit it is compiled all the same, and every byte compared */
} larder_trust;

typedef enum larder_event_kind {
    LARDER_EVENT_HIT = 1,
    LARDER_EVENT_MISS = 2,
    LARDER_EVENT_COMPILED = 3,
    LARDER_EVENT_LOADED = 4,
    LARDER_EVENT_OTHER = 0
} larder_event_kind;

/* Hears what happens, on the thread where it happens; text is a line for people, valid during the call. */
typedef void (*larder_observer)(void *context, larder_event_kind kind, const char *text);

larder_settings *larder_settings_new(void);
void larder_settings_free(larder_settings *settings);
/* The store's directory; without it, LARDER_DIR, or "larder" in the user's cache directory. */
bool larder_settings_set_store(larder_settings *settings, const char *dir, larder_error **error);
/* No store: everything is compiled, nothing is kept. */
void larder_settings_set_store_off(larder_settings *settings);
/* Bytes above which the store drops what was not used for longest. */
void larder_settings_set_store_size_max(larder_settings *settings, uint64_t bytes);
/* The worker program; without it, LARDER_WORKER, beside this program, or in PATH. */
bool larder_settings_set_worker(larder_settings *settings, const char *path, larder_error **error);
/* Limits of a compilation; 0 for none. */
void larder_settings_set_timeout_ms(larder_settings *settings, uint64_t milliseconds);
void larder_settings_set_memory_max(larder_settings *settings, uint64_t bytes);
/* Threads that generate code; 0 for one on each core. */
void larder_settings_set_threads(larder_settings *settings, uint32_t count);
bool larder_settings_set_trust(larder_settings *settings, larder_trust trust, larder_error **error);
/* The context has to stay as long as the larder. Events may come from many threads at once. */
void larder_settings_set_observer(larder_settings *settings, larder_observer observer, void *context);

/* Opens the store; settings may be NULL, and stay the caller's. A store that can't be used is no error: code is compiled and not kept, and
 * larder_code_warning says so. NULL only if settings are unusable. */
larder *larder_open(const larder_settings *settings);
void larder_close(larder *larder);

typedef struct larder_counts {
    uint64_t hits, misses, compiled, loaded;
    uint64_t compile_time_us, load_time_us;
} larder_counts;
/* What happened so far. */
void larder_get_counts(const larder *larder, larder_counts *counts);

/* ---- Options: what reaches the code, and the key ------------------------------------------------------------------------------- */

/* -O2 for this machine, every visible name is offered, the module is saved with the code. */
larder_options *larder_options_new(void);
void larder_options_free(larder_options *options);
/* '0', '1', '2', '3', 's' or 'z'. */
bool larder_options_set_level(larder_options *options, char level, larder_error **error);
/* LLVM passes instead of the level's own, as `opt -passes=` takes them; NULL for the level's own. */
bool larder_options_set_passes(larder_options *options, const char *passes, larder_error **error);
/* "native", "x86-64", "x86-64-v2", "x86-64-v3" or "x86-64-v4"; features like "+avx2,-sse4a" or NULL. */
bool larder_options_set_cpu(larder_options *options, const char *cpu, const char *features, larder_error **error);
/* Offers these names and nothing else; what they don't reach is left out. */
bool larder_options_set_exports(larder_options *options, const char *const *names, size_t count, larder_error **error);
/* Whether the image carries the module, to be rebuilt from on another machine. */
void larder_options_set_keep_source(larder_options *options, bool keep);
/* Whether the modules of a program are optimised as one. */
void larder_options_set_lto(larder_options *options, bool lto);

/* ---- Programs: what goes in ---------------------------------------------------------------------------------------------------- */

/* Takes what a build callback makes. It may be called once. */
typedef struct larder_sink larder_sink;
void larder_sink_write(larder_sink *sink, const void *bytes, size_t len);
/* Says why there is nothing; the text is copied. */
void larder_sink_fail(larder_sink *sink, const char *why);

/* Makes an input's bytes, on a miss only. Runs on the thread that loads. */
typedef void (*larder_build)(void *context, larder_sink *sink);

larder_program *larder_program_new(void);
void larder_program_free(larder_program *program);
/* Inputs, in the order of a link line: modules (bitcode of any LLVM that LLVM 22 reads, or text), relocatable ELF objects, or archives of
 * either; which of them it is, its first bytes say. The name is for messages. */
bool larder_program_add_file(larder_program *program, const char *path, larder_error **error);
bool larder_program_add_bytes(larder_program *program, const char *name, const void *bytes, size_t len, larder_error **error);
/* An input that build makes on a miss; a hit never calls it. Equal keys must mean equal bytes: put into the key whatever they depend on. */
bool larder_program_add_keyed(larder_program *program, const char *name, const void *key, size_t key_len, larder_build build,
                              void *context, larder_error **error);

/* ---- Sessions: images and the symbols they see ----------------------------------------------------------------------------------- */

/* A session without symbols. */
larder_session *larder_session_new(larder *larder);
void larder_session_free(larder_session *session);
/* Hands in a name, of a function or of data. It replaces earlier definitions for images that are loaded after it. The address stays valid, and of the type
 * that modules declare, as long as such images are loaded. */
bool larder_session_define(larder_session *session, const char *name, const void *address, larder_error **error);
bool larder_session_define_all(larder_session *session, const char *const *names, const void *const *addresses, size_t count,
                               larder_error **error);
/* Takes a definition back, for later images; whether there was one. */
bool larder_session_undefine(larder_session *session, const char *name);
/* Lets images see what dlsym sees. */
void larder_session_use_process_symbols(larder_session *session);
/* Answers names that nobody else knows; NULL for "I don't know it". Runs on threads that load. The context stays as long as the session. */
typedef const void *(*larder_resolver)(void *context, const char *name);
void larder_session_resolve_with(larder_session *session, larder_resolver resolver, void *context);
/* Keeps code as long as the session, whatever becomes of its handles. */
void larder_session_keep(larder_session *session, const larder_code *code);
/* Undoes it; whether the code was kept. */
bool larder_session_release(larder_session *session, const larder_code *code);

/* ---- Loading ----------------------------------------------------------------------------------------------------------------------- */

/* Takes the program's code from the store, or compiles it; binds it, runs its initialisers. The program is consumed, whatever comes of it; options
 * may be NULL. This runs the program's code: its inputs are trusted. */
larder_code *larder_load(larder_session *session, larder_program *program, const larder_options *options, larder_error **error);
/* Loads an image that `larder build` made. Nobody may write to the file while it is loaded. */
larder_code *larder_load_image(larder_session *session, const char *path, const larder_options *options, larder_error **error);
/* The same as larder_load, on a thread of its own, on which callbacks of the program and initialisers run, too. */
larder_loading *larder_load_in_background(larder_session *session, larder_program *program, const larder_options *options,
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
larder_code *larder_code_retain(const larder_code *code);
/* Lets go of a handle. With the last one, unless other code is bound to it, finalisers run and the code is unmapped: pointers to its functions must not
 * be called any more. */
void larder_code_free(larder_code *code);
/* The function of that name, to be cast to its type. Calling it costs what calling any function by its pointer costs. */
larder_function larder_code_function(const larder_code *code, const char *name, larder_error **error);
/* Address of an exported function or variable (the calling thread's, for a thread-local one); NULL if there is none. */
void *larder_code_symbol(const larder_code *code, const char *name);
/* Whether saved code is used. */
bool larder_code_is_hit(const larder_code *code);
/* "hit", or "miss (REASON): words". */
const char *larder_code_outcome(const larder_code *code);
/* The key in hexadecimal digits; "" for an image that was loaded by its name. */
const char *larder_code_key(const larder_code *code);
/* What went wrong without harm. */
size_t larder_code_warning_count(const larder_code *code);
const char *larder_code_warning(const larder_code *code, size_t index);

#ifdef __cplusplus
}
#endif
#endif
