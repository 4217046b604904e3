// Heap objects of the host and the guards of code that counts on them.

#ifndef LARDER_GUARDS_H
#define LARDER_GUARDS_H

#include "module.h"

namespace llvm {
class CallBase;
class Instruction;
class PassBuilder;
} // namespace llvm

namespace larder {

// Gives each object that a module declares the name by which linkers know it, so that objects stay apart, or come together, when
// modules are linked; ties functions to their fallbacks, which may be renamed then. Leaves what is malformed as it is.
void name_objects(llvm::Module &module);
// Takes from objects of these names, each with a NUL behind it, what the module knows of them: contents and fingerprint.
LarderStatus loosen_objects(LarderModule &self, llvm::StringRef names);
// Declares an object of which only presence counts.
llvm::GlobalVariable *declare_object(llvm::Module &module, llvm::StringRef name);
// Says that a function counts on the presence of an object to which it doesn't refer.
void count_on_presence(llvm::Function &function, llvm::StringRef name);
// The same pointer, of which nothing is known: what lies at an object's address may be something else by another name.
llvm::Instruction *hide_origin(llvm::Value &pointer);
// Whether it stands for a heap object of the host.
bool is_object(const llvm::GlobalValue &value);

// Marks the functions that count on something, and sees to it that nothing is concluded from them behind their markers' back.
// After `name_objects`, before anything is concluded.
LarderStatus prepare_guards(LarderModule &self);
// Makes a pipeline fit for a module with markers: they don't get in the way of loops, and no function is copied for certain
// arguments.
void guard_pipeline(const llvm::Module &module, llvm::PassBuilder &builder);
// Whether an inline assembly says nothing but what its function counts on, or hides where an address comes from.
bool is_marker(const llvm::CallBase &call);
// Undoes what `prepare_guards` did to linkage, and says what replaces the functions of this object. The last thing before code is
// generated.
void finish_guards(llvm::Module &module);

} // namespace larder

#endif
