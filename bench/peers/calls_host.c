// What a call from C costs: `calls_host STORE KEY LIBRARY` loads what is saved under the key and the library, and calls the `main` of each through
// a pointer, in turn. It prints nanoseconds of one call as `name number`.

#include "../../crates/larder-capi/include/larder.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef long (*function)(long);

enum { CALL_COUNT = 2000000, ROUND_COUNT = 31 };

static void not_saved(void *context, larder_sink *sink) {
    (void)context;
    larder_sink_fail(sink, "it is not saved");
}

// Each call waits for the one before.
__attribute__((noinline)) static double time_of(function called) {
    struct timespec start, end;
    long x = 1;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int call = 0; call < CALL_COUNT; ++call)
        x = called(x) & 0xff;
    clock_gettime(CLOCK_MONOTONIC, &end);
    __asm__ volatile("" : : "r"(x));
    return ((end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) / CALL_COUNT;
}

static int compare(const void *one, const void *other) {
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static double median(double *sample) {
    qsort(sample, ROUND_COUNT, sizeof *sample, compare);
    return sample[ROUND_COUNT / 2];
}

int main(int argc, char **argv) {
    if (argc < 4)
        return 125;
    larder_settings *settings = larder_settings_new();
    larder_settings_set_store(settings, argv[1], NULL);
    larder_session *session = larder_session_new(larder_open(settings, NULL), NULL);
    larder_program *program = larder_program_new();
    larder_program_add_keyed(program, argv[2], argv[2], strlen(argv[2]), not_saved, NULL, NULL);
    larder_error *error = NULL;
    larder_code *code = larder_load(session, program, NULL, &error);
    if (!code) {
        fprintf(stderr, "%s\n", larder_error_message(error));
        return 1;
    }
    function image = (function)larder_code_function(code, "main", NULL);
    void *handle = dlopen(argv[3], RTLD_NOW | RTLD_LOCAL);
    function library = handle ? (function)dlsym(handle, "main") : NULL;
    if (!image || !library)
        return 1;
    double samples[2][ROUND_COUNT];
    for (int round = 0; round < ROUND_COUNT; ++round) {
        samples[0][round] = time_of(image);
        samples[1][round] = time_of(library);
    }
    printf("image %f\nlibrary %f\n", median(samples[0]), median(samples[1]));
    return 0;
}
