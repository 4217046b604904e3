// Heap objects of the host and the guards of code that counts on them.

#ifndef LARDER_GUARDS_H
#define LARDER_GUARDS_H

#include "module.h"

#include "llvm/IR/PassManager.h"

namespace llvm {
class PassBuilder;
} // namespace llvm

namespace larder {

// Names a module's objects, and ties functions to their fallbacks, which may be renamed when modules are linked.
void name_guarded(llvm::Module &module);
// Says that a function counts on the presence of an object to which it doesn't refer.
void count_on_presence(llvm::Function &function, llvm::StringRef name);

// Marks the functions that count on something, and sees to it that nothing is concluded from them behind their markers' back.
// After `name_guarded`, before anything is concluded.
LarderStatus prepare_guards(LarderModule &self);
// Makes pipelines that are built from now on fit for a module with markers: these don't get in the way of loops.
void guard_pipeline(const llvm::Module &module, llvm::PassBuilder &builder);
// Makes a pipeline fit for a module with markers: no function is copied for certain arguments, since the copy would be local, and its
// results would be taken for facts. False if that can't be seen to, because passes are repeated.
bool guard_passes(const llvm::Module &module, llvm::ModulePassManager &passes);
// Undoes what `prepare_guards` did to linkage, and says what replaces the functions of this object. The last thing before code is
// generated.
void finish_guards(llvm::Module &module);

} // namespace larder

#endif
