// Parts that are generated ahead, while the optimiser is still busy with the rest.
//
// The first half of the pipeline is a walk over the call graph, callees first, on one thread, and takes half of the time. Most
// functions are finished long before the walk is. So whenever enough of them are, they are copied into a module of their own
// and handed out for the second half and for code generation, which then run beside the walk.
//
// Why this is sound: it is what ThinLTO does between two files. From the moment a function is copied, the walk sees
//   - the function as `available_externally`: it may still be inlined, and nothing is concluded from its body that the copy
//     doesn't know;
//   - everything that the copy refers to as a hidden symbol instead of a local one: nobody changes its signature, its calling
//     convention or its contents behind the copy's back.
// What was concluded before that moment is true of the copy, since the copy is the body it was concluded from.
//
// Why it is deterministic: what is handed out depends on how far the walk is, and the walk doesn't look at threads.
//
// A function is finished when the walk has passed it and, if it is local, all of its users: until then it might be inlined into
// its only caller and vanish. What isn't plain (COMDAT, aliases, block addresses, weak names) waits for the end of the walk, as
// does every function of a module with debug information or coroutines, whose copies would need more than is done here.

#include "copy.h"
#include "module.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/Analysis/LazyCallGraph.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/PassInstrumentation.h"
#include "llvm/IR/ValueHandle.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Transforms/Utils/ValueMapper.h"

using namespace llvm;
using namespace larder;

namespace {

// Whether a copy is the function and nothing but the function.
bool is_plain(const Function &function) {
  if (function.isDeclarationForLinker() || function.hasComdat() ||
      !(function.hasExternalLinkage() || function.hasLocalLinkage()) ||
      function.hasMetadata(LLVMContext::MD_associated))
    return false;
  return none_of(function, [](const BasicBlock &block) { return block.hasAddressTaken(); });
}

// A set of functions. One that is deleted leaves it, so that a new one at the same address isn't taken for it: addresses differ
// from run to run, and objects must not.
class FunctionSet {
  DenseMap<const Function *, WeakVH> handles;

public:
  bool contains(const Function &function) const {
    return handles.lookup(&function) != nullptr;
  }
  // Whether it is new.
  bool insert(Function &function) {
    if (contains(function))
      return false;
    handles[&function] = WeakVH(&function);
    return true;
  }
};

} // namespace

struct larder::Ahead::State {
  LarderModule &self;
  Names names;
  // Functions that the walk has passed.
  FunctionSet passed;
  uint64_t passed_size = 0, looked_at = 0;

  explicit State(LarderModule &self) : self(self), names(self.digest) {}

  bool is_finished(const Function &function) const {
    if (!passed.contains(function) || !is_plain(function))
      return false;
    bool finished = !function.hasLocalLinkage() || !function.use_empty();
    each_user(function, [&](const GlobalValue &user) {
      if (const auto *caller = dyn_cast<Function>(&user))
        finished &= !function.hasLocalLinkage() || passed.contains(*caller);
      else
        finished &= isa<GlobalVariable>(user);
    }, [&] { finished = false; });
    return finished;
  }

  void pass(const LazyCallGraph::SCC &component) {
    for (const LazyCallGraph::Node &node : component) {
      Function &function = node.getFunction();
      if (passed.insert(function))
        passed_size += function.getInstructionCount();
    }
    // Looking is not free; half a part is not worth it.
    if (passed_size - looked_at >= self.part_size / 2) {
      looked_at = passed_size;
      hand_out();
    }
  }

  void hand_out() {
    SmallVector<Function *> part;
    uint64_t size = 0;
    for (Function &function : *self.module) {
      if (!is_finished(function))
        continue;
      part.push_back(&function);
      size += function.getInstructionCount();
      if (size >= self.part_size) {
        hand_out(part, size);
        part.clear();
        size = 0;
      }
    }
  }

  void hand_out(ArrayRef<Function *> functions, uint64_t size) {
    Module part(self.module->getModuleIdentifier(), *self.context);
    copy_module_properties(*self.module, part);
    ValueToValueMapTy values;
    Declarer declarer(part, names, values);
    for (Function *function : functions)
      values[function] = declarer.declare(*function);
    for (const Function *function : functions)
      copy_body(*function, *cast<Function>(values[function]), values, declarer);
    for (Function *function : functions) {
      self.ahead_features.add(*function, *self.machine);
      function->setLinkage(GlobalValue::AvailableExternallyLinkage);
    }
    SmallVector<char, 0> bitcode;
    raw_svector_ostream stream(bitcode);
    WriteBitcodeToFile(part, stream);
    self.sink.part(self.sink.context, bytes({bitcode.data(), bitcode.size()}), size);
  }
};

larder::Ahead::Ahead(LarderModule &self) : state(std::make_unique<State>(self)) {}
larder::Ahead::~Ahead() = default;

bool larder::Ahead::is_possible(const Module &module) {
  if (module.debug_compile_units_begin() != module.debug_compile_units_end())
    return false;
  return none_of(module, [](const Function &function) {
    return function.isPresplitCoroutine() || function.getName().starts_with("llvm.coro.");
  });
}

void larder::Ahead::watch(PassInstrumentationCallbacks &callbacks) {
  callbacks.registerAfterPassCallback(
      [this](StringRef pass, Any ir, const PreservedAnalyses &) {
        if (pass != "DevirtSCCRepeatedPass")
          return;
        if (const auto *component = any_cast<const LazyCallGraph::SCC *>(&ir))
          state->pass(**component);
      });
}
