// The border between Rust and LLVM's C++ API.
//
// LLVM's C API lacks what is needed here: a module's preparation for position independence, the pass pipeline in two halves,
// lazy loading of one partition, the features of each function. So the border is drawn around whole steps, in the order in
// which `src/compile.rs` takes them, and no LLVM type crosses it.
//
// Rules of the border: bytes are borrowed for the call, unless a comment says otherwise; nothing throws; a step that fails
// has told the sink why, and answers with the kind of failure.

#ifndef LARDER_LLVM_H
#define LARDER_LLVM_H

#include <cstddef>
#include <cstdint>

extern "C" {

// Bytes of somebody else. `data` may be null when `len` is 0.
struct LarderBytes {
  const uint8_t *data;
  size_t len;
};

// What became of a step. The numbers are those of `Status` in `src/ffi.rs`.
enum LarderStatus : uint32_t {
  LARDER_OK = 0,
  // The module is no valid IR, or its inline assembly is none.
  LARDER_MALFORMED = 1,
  // Valid, but nothing that an image can hold.
  LARDER_UNSUPPORTED = 2,
  // The request doesn't make sense: a pass pipeline that LLVM can't read.
  LARDER_BAD_REQUEST = 3,
  // Failed in a way that LLVM reports, and that isn't the module's fault.
  LARDER_FAILED = 4,
};

// Where diagnostics, progress and finished parts go. Called on the thread that called the step. `line` and `column` start at 1; 0
// is unknown. `bitcode` is lent for the call; `size` is a part's length in instructions. `is_awaited` says whether somebody still waits for
// what is made; null if that is always so.
struct LarderSink {
  void *context;
  void (*diagnostic)(void *context, uint32_t severity, LarderBytes message,
                     LarderBytes file, uint32_t line, uint32_t column);
  void (*progress)(void *context, uint32_t done, uint32_t total);
  void (*part)(void *context, LarderBytes bitcode, uint64_t size);
  bool (*is_awaited)(void *context);
};

// Everything of a request that reaches generated code. Outlives the module it is given to.
struct LarderSettings {
  // 0 to 3: -O0 to -O3; 4: -Os; 5: -Oz.
  uint32_t level;
  // LLVM's textual pass pipeline; empty: the level's own.
  LarderBytes pipeline;
  // LLVM's feature string, "+avx2,+fma"; empty: the baseline.
  LarderBytes features;
  // Bytes of thread-local variables, and their alignment, that can have a fixed distance from the thread pointer.
  uint64_t static_tls_len, static_tls_align;
};

// Addresses of the client's process, `start` to `start + len`.
struct LarderRegion {
  // Of the object that lies there; empty if it has none.
  LarderBytes name;
  uint64_t start, len;
};

// What of a request is about the module itself.
struct LarderWanted {
  // What is done about integers that are used as addresses, as in `ffi.rs`.
  uint32_t raw_pointers;
  // Sorted by address; none overlap.
  const LarderRegion *regions;
  size_t region_count;
  // Whether only some functions are wanted, of an image that has the rest: names with a NUL behind each.
  bool is_unit;
  LarderBytes names, present;
  // Objects of which the module's contents are no longer right, with a NUL behind each.
  LarderBytes loosened;
};

// Receives bytes whose owner is the callee, for the time of the call.
typedef void (*LarderReceive)(void *context, LarderBytes bytes);

// A module with its context.
struct LarderModule;
// The parts of a module, as bitcode, and who owns what.
struct LarderPartitions;

// --- process.cpp: once per process, before anything else ---

// Registers the target; once.
void larder_register(void);
// Says who is told that LLVM gives up, and C++'s operator new. `fatal` must not return; it may be called on any thread, and for
// `out_of_memory` it must not allocate.
void larder_start(void (*fatal)(bool out_of_memory, LarderBytes message));
// "22.1.8", with a static life.
LarderBytes larder_llvm_version(void);
// A function inside libLLVM, for whoever looks for its file.
const void *larder_llvm_address(void);

// --- read.cpp ---

// Reads bitcode or text; null when it is neither. `input` has to outlive the module. `name` stands in diagnostics only.
// `repetition` tells modules of a program with the same bytes apart.
LarderModule *larder_read(LarderBytes input, LarderBytes name, uint32_t repetition,
                          const LarderSettings *settings, LarderSink sink);
LarderStatus larder_verify(LarderModule *module);
void larder_module_free(LarderModule *module);

// --- link.cpp ---

// Calls `receive` with each name of the module that linkers see: `kind` 0 for one that it needs weakly, 1 needs, 2 has as common
// symbol, 3 defines weakly, 4 defines.
void larder_symbols(const LarderModule *module, void *context,
                    void (*receive)(void *context, uint32_t kind,
                                    LarderBytes name));
// Links another module into this one, by the rules of native linkers. `input` need not outlive the call.
LarderStatus larder_link(LarderModule *module, LarderBytes input,
                         LarderBytes name);
// Makes declarations of the definitions of these names, which have a NUL behind each.
void larder_give_way(LarderModule *module, LarderBytes names);
// Makes internal what is not among `keep`: names with a NUL behind each.
void larder_internalise(LarderModule *module, LarderBytes keep);
// The module as bitcode.
void larder_write(const LarderModule *module, void *context,
                  LarderReceive receive);

// --- prepare.cpp ---

// Makes the module fit for an image: target, position independence, thread-local storage, features; addresses of the client's
// process, guards; the functions that are wanted. `wanted` need not outlive the call.
LarderStatus larder_prepare(LarderModule *module, const LarderWanted *wanted);
// Calls `receive` with each function or variable in which addresses of the client's process were found.
void larder_pointers(const LarderModule *module, void *context,
                     void (*receive)(void *context, LarderBytes name,
                                     bool session_only, LarderBytes why));
// Calls `receive` with each object that only the client's process has.
void larder_session_objects(const LarderModule *module, void *context,
                            void (*receive)(void *context, LarderBytes name,
                                            uint64_t address));
// The module without such addresses, as bitcode; empty if there were none. Lives as long as the module.
LarderBytes larder_rescued(const LarderModule *module);

// --- optimise.cpp ---

// The whole pipeline; or, if `part_size` isn't 0, its first half: what looks at the module as a whole. The other half then runs
// on each part. Some parts, of about `part_size` instructions, may go to the sink at once (see ahead.cpp).
LarderStatus larder_optimise(LarderModule *module, uint64_t part_size);
// Number of instructions: what the size of the parts depends on.
uint64_t larder_instruction_count(const LarderModule *module);
// The same without the functions that went to the sink.
uint64_t larder_size_left(const LarderModule *module);

// --- features.cpp ---

// Calls `receive` with each feature name of the instruction set: `kind` 0 for those that every defined function has, 1 for
// those that only some have, 2 for those that the settings ask for, expanded.
void larder_features(const LarderModule *module, void *context,
                     void (*receive)(void *context, uint32_t kind,
                                     LarderBytes name));

// --- partition.cpp ---

// Whether the module can be generated in parts at all.
bool larder_can_split(const LarderModule *module);
// Splits into `count` parts or fewer. The module is left as it was written, with names and linkage changed.
LarderPartitions *larder_split(LarderModule *module, uint32_t count);
uint32_t larder_partition_count(const LarderPartitions *partitions);
// Instructions of one part, so that the longest can be started first.
uint64_t larder_partition_size(const LarderPartitions *partitions,
                               uint32_t index);
// One part as a module of its own, as bitcode; any number of threads at a time.
LarderStatus larder_partition_bitcode(const LarderPartitions *partitions,
                                      uint32_t index, LarderSink sink,
                                      void *context, LarderReceive receive);
void larder_partitions_free(LarderPartitions *partitions);

// --- groups.cpp ---

// Whether the module can be taken apart before it is optimised.
bool larder_can_group(const LarderModule *module);
// Takes it apart: each group goes to the sink, as a part that needs the whole pipeline. The module is left without most of its bodies,
// and is good for nothing but being freed.
void larder_group(LarderModule *module);

// --- generate.cpp ---

// The object of a module that wasn't split.
LarderStatus larder_generate(LarderModule *module, void *context,
                             LarderReceive receive);
// Optimises (a group: the whole pipeline; another part: its second half) and generates; any number of threads at a time.
LarderStatus larder_generate_part(LarderBytes bitcode, bool is_group,
                                  const LarderSettings *settings,
                                  LarderSink sink, void *context,
                                  LarderReceive receive);
}

#endif
