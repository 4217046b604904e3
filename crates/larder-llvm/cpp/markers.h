// Inline assembly without a byte of code: it says what a function counts on, or hides where an address comes from.

#ifndef LARDER_MARKERS_H
#define LARDER_MARKERS_H

#include "llvm/ADT/StringRef.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/PassManager.h"

namespace larder {

// What says that the function it stands in counts on the guard of that symbol: it writes both into the section `.larder.uses`.
llvm::CallInst *new_marker(llvm::StringRef symbol, llvm::LLVMContext &context);
// The same pointer, of which nothing is known: what lies at an object's address may be something else by another name.
llvm::Instruction *hide_origin(llvm::Value &pointer);
// Whether it is either.
bool is_marker(const llvm::CallBase &call);

// One marker of a kind at the entry says all that the inlined ones say, and no loop is in its way.
struct GatherMarkers : llvm::PassInfoMixin<GatherMarkers> {
  llvm::PreservedAnalyses run(llvm::Function &function, llvm::FunctionAnalysisManager &);
  static bool isRequired() { return true; }
};

} // namespace larder

#endif
