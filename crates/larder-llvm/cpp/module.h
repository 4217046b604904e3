// What the steps share behind the border.

#ifndef LARDER_MODULE_H
#define LARDER_MODULE_H

#include "larder_llvm.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/OptimizationLevel.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/SubtargetFeature.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace llvm {
class GlobalVariable;
class PassInstrumentationCallbacks;
class SMDiagnostic;
} // namespace llvm

namespace larder {
// Bits of what at least one function may use, and of what every function may.
struct Features {
  llvm::FeatureBitset some, every = ~llvm::FeatureBitset();
  // Whether anything is made for the CPU features of the request.
  bool any_as_requested = false;
  void add(const llvm::Function &function, const llvm::TargetMachine &machine);
};
// A function, or a variable, in which addresses were found.
struct PointerUse {
  std::string name;
  bool session_only;
  std::string why;
};
// An object that only the client's process has.
struct SessionObject {
  std::string name;
  uint64_t address;
};
} // namespace larder

struct LarderModule {
  LarderSink sink;
  LarderSettings settings;
  // Digest of the input and of how often the program has had it; keeps names that were local apart from those of other modules.
  uint64_t digest;
  // Declared before the module: it has to go last.
  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::Module> module;
  // What tells it from other modules of an image and stays as it is edited: a hash of the strong definition whose name has the least
  // one; nothing if it has none. From `larder_prepare` on.
  std::optional<uint64_t> identity;
  // What `larder_prepare` found of addresses of the client's process.
  std::vector<larder::PointerUse> pointers;
  std::vector<larder::SessionObject> session_objects;
  // The module without them, as bitcode; empty if there were none.
  llvm::SmallVector<char, 0> rescued;
  // From `larder_prepare` on.
  std::unique_ptr<llvm::TargetMachine> machine;
  // Instructions of a part that is handed out while optimising.
  uint64_t part_size = 0;
  // Of the functions in such parts, and of what `larder_prepare` gave the request's.
  larder::Features ahead_features;
};

// Owners stand in module order, so that they mean the same values after the bitcode was read again.
struct LarderPartitions {
  llvm::SmallVector<char, 0> bitcode;
  uint32_t count;
  std::vector<uint32_t> functions, variables, aliases, ifuncs;
  std::vector<uint64_t> sizes;
};

namespace larder {

// Owner of what every partition has that uses it.
constexpr uint32_t EVERYWHERE = UINT32_MAX;

inline llvm::StringRef text(LarderBytes bytes) {
  return {reinterpret_cast<const char *>(bytes.data), bytes.len};
}
inline LarderBytes bytes(llvm::StringRef text) {
  return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
}

// Severities, as in `ffi.rs`.
enum Severity : uint32_t { ERROR = 0, WARNING = 1, REMARK = 2, NOTE = 3 };

// Tells the sink something that has no place.
void report(const LarderSink &sink, Severity severity, llvm::StringRef message);
void report(const LarderSink &sink, const llvm::SMDiagnostic &diagnostic);
// Tells the sink of a failure that isn't the module's fault.
LarderStatus failed(const LarderSink &sink, llvm::Error error);
// A context whose diagnostics go to the sink.
std::unique_ptr<llvm::LLVMContext> new_context(const LarderSink &sink);
// Whether an error was diagnosed in that context.
bool has_errors(const llvm::LLVMContext &context);

// Reads bitcode or text into the context; null when the sink was told why not.
std::unique_ptr<llvm::Module> read(LarderBytes input, LarderBytes name,
                                   llvm::LLVMContext &context,
                                   const LarderSink &sink);
// Whether the module is valid. Debug information that isn't is taken away.
LarderStatus verify(llvm::Module &module, const LarderSink &sink);

// Whether images can be made for it.
bool is_supported(const llvm::Triple &triple);
std::unique_ptr<llvm::TargetMachine>
new_machine(const llvm::Module &module, const LarderSettings &settings);
llvm::OptimizationLevel level(const LarderSettings &settings);
// Externals are reached through the import slots: no call stub, no copy relocation.
void bind_externals(llvm::Module &module);
// The part of the pipeline that a partition still needs.
LarderStatus finish_optimising(llvm::Module &module,
                               llvm::TargetMachine &machine,
                               const LarderSettings &settings);
// The whole pipeline of a level, for a group.
LarderStatus optimise_group(llvm::Module &module, llvm::TargetMachine &machine,
                            const LarderSettings &settings);
// Makes values known to other parts: what was local becomes hidden, under a name unlike any of another module, and what
// could be left out by a part without a use for it can't any more.
class Names {
  const std::string suffix;
  unsigned unnamed = 0;

public:
  explicit Names(uint64_t digest);
  void publish(llvm::GlobalValue &value);
};

// Calls `visit` with each function, variable or alias that uses `value`, itself or through constants. Lists for the optimiser
// and the linker (`llvm.used`) use nothing; `listed` is told of them.
void each_user(
    const llvm::Value &value,
    llvm::function_ref<void(const llvm::GlobalValue &)> visit,
    llvm::function_ref<void()> listed = [] {});
// Calls `visit` with each function that refers to a value, itself or through data.
void each_function_with(const llvm::GlobalValue &value,
                        llvm::function_ref<void(llvm::Function &)> visit);
// Calls `visit` with each global value that a function, variable or alias refers to, itself or through constants.
void each_used(const llvm::GlobalValue &user,
               llvm::function_ref<void(llvm::GlobalValue &)> visit);
// Whether a function has assembly that may name something.
bool has_inline_assembly(const llvm::Module &module);
std::optional<uint64_t> identity_of(const llvm::Module &module);
// Calls `visit` with each of several names that have a NUL behind each.
inline void each_name(llvm::StringRef names,
                      llvm::function_ref<void(llvm::StringRef)> visit) {
  while (!names.empty()) {
    auto [name, behind] = names.split('\0');
    visit(name);
    names = behind;
  }
}
// Whether the linker merges equal ones, so that a copy in each part costs nothing.
bool is_mergeable(const llvm::GlobalVariable &variable);
// Whether an alias is nothing but another name for a place in this module. Parts that use it without having it then refer to the
// place itself: to LLVM, two declared names are two places, that differ and don't overlap.
bool is_transparent(const llvm::GlobalAlias &alias);
// A plain symbol for any other alias, or an ifunc, of another part.
llvm::GlobalValue *new_stand_in(const llvm::GlobalValue &value,
                                llvm::Module &module);

// Hands out parts of a module while the optimiser is still at work on it; see ahead.cpp.
class Ahead {
  struct State;
  std::unique_ptr<State> state;

public:
  explicit Ahead(LarderModule &self);
  ~Ahead();
  static bool is_possible(const llvm::Module &module);
  void watch(llvm::PassInstrumentationCallbacks &callbacks);
};

} // namespace larder

#endif
