// Heap objects of the host: how modules declare them, and the names by which linkers know them.

#ifndef LARDER_OBJECTS_H
#define LARDER_OBJECTS_H

#include "module.h"

#include "llvm/IR/GlobalVariable.h"
#include "llvm/IR/Metadata.h"

#include <optional>
#include <string>

namespace larder {

// Metadata that says which object a declaration stands for: `!{!"name"}` or `!{!"name", i64 fingerprint}`.
inline constexpr llvm::StringLiteral OBJECT = "larder.object";

// Parts of symbols' names, as crate `larder-format` reads them (`guard.rs`).
std::string escaped(llvm::StringRef name);
std::string hexadecimal(uint64_t number, unsigned digits);
// The symbol of an object; without a fingerprint, any state of it will do.
std::string object_symbol(llvm::StringRef name, std::optional<uint64_t> fingerprint);
// Whether the host can have something of that name.
bool is_name(llvm::StringRef name);

// Operands of metadata; nothing if they are missing or of another kind. Numbers have 64 bits.
std::optional<llvm::StringRef> string_operand(const llvm::MDNode &node, unsigned index);
std::optional<uint64_t> number_operand(const llvm::MDNode &node, unsigned index);

// Gives each object that a module declares the name by which linkers know it, so that objects stay apart, or come together, when
// modules are linked. Leaves what is malformed as it is.
void name_objects(llvm::Module &module);
// What is malformed; an empty text if nothing is.
std::string wrong_object(const llvm::Module &module);
// Takes from objects of these names, each with a NUL behind it, what the module knows of them: contents and fingerprint.
LarderStatus loosen_objects(LarderModule &self, llvm::StringRef names);
// Declares an object of which only presence counts.
llvm::GlobalVariable *declare_object(llvm::Module &module, llvm::StringRef name);
// Whether it stands for a heap object of the host.
bool is_object(const llvm::GlobalValue &value);

} // namespace larder

#endif
