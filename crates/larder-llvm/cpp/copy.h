// Copies of functions and variables in a module of their own, in the same context; or the functions themselves.

#ifndef LARDER_COPY_H
#define LARDER_COPY_H

#include "module.h"

#include "llvm/Transforms/Utils/ValueMapper.h"

namespace larder {

// Declares in a part what its functions refer to.
class Declarer final : public llvm::ValueMaterializer {
  llvm::Module &part;
  Names &names;
  llvm::ValueToValueMapTy &values;

public:
  Declarer(llvm::Module &part, Names &names, llvm::ValueToValueMapTy &values)
      : part(part), names(names), values(values) {}
  llvm::Value *materialize(llvm::Value *value) override;
  llvm::Function *declare(llvm::Function &function) {
    names.publish(function);
    return declare(function, function.getName());
  }
  // Under a name of its own.
  llvm::Function *declare(llvm::Function &function, llvm::StringRef name);

private:
  llvm::GlobalVariable *declare(llvm::GlobalVariable &variable);
  llvm::GlobalVariable *copy(llvm::GlobalVariable &variable);
};

// Target, flags and what else is said of the module as a whole.
void copy_module_properties(llvm::Module &from, llvm::Module &to);
void copy_body(const llvm::Function &from, llvm::Function &to,
               llvm::ValueToValueMapTy &values, Declarer &declarer);
// Leaves `from` without a body. None of its blocks may have its address taken.
void move_body(llvm::Function &from, llvm::Function &to,
               llvm::ValueToValueMapTy &values, Declarer &declarer);

} // namespace larder

#endif
