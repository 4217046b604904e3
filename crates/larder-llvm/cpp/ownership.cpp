// Who owns what, when a module is taken apart.

#include "ownership.h"

#include "markers.h"
#include "module.h"

#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"

using namespace llvm;
using namespace larder;

namespace {

// Calls `visit` with each variable that stands in a constant.
void each_variable(const Constant &constant,
                   function_ref<void(const GlobalVariable &)> visit) {
  SmallVector<const Value *> pending{&constant};
  SmallPtrSet<const Value *, 8> seen;
  while (!pending.empty()) {
    const Value *value = pending.pop_back_val();
    if (const auto *variable = dyn_cast<GlobalVariable>(value))
      visit(*variable);
    else if (isa<Constant>(value) && !isa<GlobalValue>(value) && seen.insert(value).second)
      append_range(pending, cast<Constant>(value)->operand_values());
  }
}

} // namespace

bool larder::is_used_list(const GlobalValue &value) {
  return value.getName() == "llvm.used" || value.getName() == "llvm.compiler.used";
}

void Clusters::join(const GlobalValue *one, const Value *other) {
  if (const auto *global = dyn_cast_or_null<GlobalValue>(other))
    classes.unionSets(one, global);
}

void Clusters::join_comdats(const Module &module) {
  DenseMap<const Comdat *, const GlobalValue *> first;
  for (const GlobalObject &object : module.global_objects())
    if (const Comdat *comdat = object.getComdat())
      join(&object, first.try_emplace(comdat, &object).first->second);
}

void Clusters::join_block_addresses(const Function &function) {
  for (const BasicBlock &block : function)
    if (const BlockAddress *address = BlockAddress::lookup(&block))
      each_user(*address, [&](const GlobalValue &user) { join(&user, &function); });
}

void Clusters::join_associated(const GlobalObject &object) {
  if (const MDNode *node = object.getMetadata(LLVMContext::MD_associated))
    if (const auto *value = dyn_cast_or_null<ValueAsMetadata>(node->getOperand(0).get()))
      join(&object, value->getValue()->stripPointerCasts());
}

// A constructor whose key is elsewhere is taken for a duplicate and dropped.
void Clusters::join_keys(const GlobalVariable *list) {
  if (!list || !list->hasInitializer())
    return;
  const auto *entries = dyn_cast<ConstantArray>(list->getInitializer());
  if (!entries)
    return;
  for (const Use &entry : entries->operands())
    if (const auto *fields = dyn_cast<ConstantStruct>(entry))
      if (fields->getNumOperands() == 3)
        join(list, fields->getOperand(2)->stripPointerCasts());
}

Clusters::Clusters(const Module &module) {
  join_comdats(module);
  for (const GlobalAlias &alias : module.aliases())
    join(&alias, alias.getAliaseeObject());
  for (const GlobalIFunc &ifunc : module.ifuncs())
    join(&ifunc, ifunc.getResolverFunction());
  for (const Function &function : module)
    join_block_addresses(function);
  for (const GlobalObject &object : module.global_objects())
    join_associated(object);
  join_keys(module.getNamedGlobal("llvm.global_ctors"));
  join_keys(module.getNamedGlobal("llvm.global_dtors"));
}

const GlobalValue *Clusters::leader(const GlobalValue &value) const {
  auto found = classes.findLeader(&value);
  return found == classes.member_end() ? &value : *found;
}

Ownership::Ownership(Module &module) : module(module), clusters(module) {}

uint32_t Ownership::owner(const GlobalValue &value) const {
  auto found = owners.find(clusters.leader(value));
  return found == owners.end() ? 0 : found->second;
}

void Ownership::own_variables(uint32_t part_count) {
  std::vector<SmallVector<const GlobalVariable *>> reached(part_count);
  for (const GlobalVariable &variable : module.globals())
    if (auto part = first_user(variable))
      reached[owners.try_emplace(clusters.leader(variable), *part).first->second].push_back(&variable);
  for (uint32_t part = 0; part < part_count; ++part)
    while (!reached[part].empty())
      follow(*reached[part].pop_back_val(), part, reached[part]);
}

std::optional<uint32_t>
Ownership::first_user(const GlobalVariable &variable) const {
  std::optional<uint32_t> first;
  each_user(variable, [&](const GlobalValue &user) {
    if (isa<Function>(user))
      first = std::min(first.value_or(UINT32_MAX), owner(user));
  });
  return first;
}

void Ownership::follow(const GlobalVariable &variable, uint32_t part,
                       SmallVectorImpl<const GlobalVariable *> &reached) {
  if (!variable.hasInitializer())
    return;
  each_variable(*variable.getInitializer(), [&](const GlobalVariable &used) {
    if (owners.try_emplace(clusters.leader(used), part).second)
      reached.push_back(&used);
  });
}

bool Ownership::is_shared(const GlobalValue &value) const {
  const uint32_t home = owner(value);
  bool shared = false;
  each_user(value, [&](const GlobalValue &user) { shared |= owner(user) != home; });
  return shared;
}

void larder::each_user(const Value &value,
                       function_ref<void(const GlobalValue &)> visit,
                       function_ref<void()> listed) {
  SmallVector<const User *> pending(value.users());
  SmallPtrSet<const User *, 8> seen;
  while (!pending.empty()) {
    const User *user = pending.pop_back_val();
    if (const auto *instruction = dyn_cast<Instruction>(user))
      visit(*instruction->getFunction());
    else if (const auto *global = dyn_cast<GlobalValue>(user)) {
      if (is_used_list(*global))
        listed();
      else
        visit(*global);
    } else if (seen.insert(user).second)
      append_range(pending, user->users());
  }
}

void larder::each_function_with(const GlobalValue &value, function_ref<void(Function &)> visit) {
  SmallVector<const GlobalValue *> pending{&value};
  SmallPtrSet<const GlobalValue *, 16> seen;
  while (!pending.empty())
    each_user(*pending.pop_back_val(), [&](const GlobalValue &user) {
      if (!seen.insert(&user).second)
        return;
      if (const auto *function = dyn_cast<Function>(&user))
        visit(const_cast<Function &>(*function));
      else
        pending.push_back(&user);
    });
}

void larder::each_used(const GlobalValue &user, function_ref<void(GlobalValue &)> visit) {
  SmallPtrSet<const Constant *, 32> seen;
  SmallVector<Constant *> pending;
  const auto add = [&](Value *value) {
    if (auto *constant = dyn_cast<Constant>(value); constant && seen.insert(constant).second)
      pending.push_back(constant);
  };
  for (const Use &use : user.operands())
    add(use.get());
  if (const auto *function = dyn_cast<Function>(&user))
    for (const Instruction &instruction : instructions(*function))
      for (const Use &use : instruction.operands())
        add(use.get());
  while (!pending.empty()) {
    Constant *constant = pending.pop_back_val();
    if (auto *global = dyn_cast<GlobalValue>(constant))
      visit(*global);
    else if (!isa<BlockAddress>(constant))
      for (Value *operand : constant->operand_values())
        add(operand);
  }
}

bool larder::has_inline_assembly(const Module &module) {
  return any_of(module, [](const Function &function) {
    return any_of(instructions(function), [](const Instruction &instruction) {
      const auto *call = dyn_cast<CallBase>(&instruction);
      return call && call->isInlineAsm() && !is_marker(*call);
    });
  });
}
