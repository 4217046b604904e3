// Who owns what, when a module is taken apart: shared by splitting after optimising (partition.cpp) and before (groups.cpp).

#ifndef LARDER_OWNERSHIP_H
#define LARDER_OWNERSHIP_H

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/GlobalVariable.h"
#include "llvm/IR/Module.h"

#include <optional>

namespace larder {

// Sets of values that have to share an object file.
class Clusters {
  llvm::EquivalenceClasses<const llvm::GlobalValue *> classes;

  void join(const llvm::GlobalValue *one, const llvm::Value *other);
  void join_comdats(const llvm::Module &module);
  void join_block_addresses(const llvm::Function &function);
  void join_associated(const llvm::GlobalObject &object);
  void join_keys(const llvm::GlobalVariable *list);

public:
  explicit Clusters(const llvm::Module &module);
  const llvm::GlobalValue *leader(const llvm::GlobalValue &value) const;
};

// The part of each value. Whoever takes a module apart gives functions to parts; the rest follows from that.
class Ownership {
  llvm::Module &module;
  const Clusters clusters;
  llvm::DenseMap<const llvm::GlobalValue *, uint32_t> owners;

  std::optional<uint32_t> first_user(const llvm::GlobalVariable &variable) const;
  void follow(const llvm::GlobalVariable &variable, uint32_t part,
              llvm::SmallVectorImpl<const llvm::GlobalVariable *> &reached);

public:
  explicit Ownership(llvm::Module &module);
  const llvm::GlobalValue *leader(const llvm::GlobalValue &value) const {
    return clusters.leader(value);
  }
  // Gives the cluster of that leader to a part.
  void give(const llvm::GlobalValue *leader, uint32_t part) { owners[leader] = part; }
  bool is_owned(const llvm::GlobalValue *leader) const { return owners.contains(leader); }
  // The part of a value; 0 for what nothing speaks of.
  uint32_t owner(const llvm::GlobalValue &value) const;
  // A variable belongs to the first part whose code uses it; one that only other variables use, to the first of theirs.
  void own_variables(uint32_t part_count);
  // Whether another part uses it.
  bool is_shared(const llvm::GlobalValue &value) const;
};

// A list for the optimiser and the linker, which uses nothing.
bool is_used_list(const llvm::GlobalValue &value);

} // namespace larder

#endif
