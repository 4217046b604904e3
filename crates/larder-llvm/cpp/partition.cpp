// Splits a module for generation in parallel, and keeps one part of it.
//
// The module is written as bitcode once. Each part then reads it lazily in a context of its own, takes the bodies it owns and
// leaves the rest as declarations, so that parts share nothing and the expensive work has no serial step before it.
//
// Who owns what depends on the module alone:
//   - Functions go by module order, in runs of about equal length: neighbours in the source call each other.
//   - What can't be told apart from its object file moves as one cluster: members of a COMDAT, an alias and its aliasee, an
//     ifunc and its resolver, a block address and who takes it, a constructor list and its keys, `!associated`.
//   - A variable goes where its first user is. Constants that the linker merges anyway (strings) are copied instead.
// What was local and is used by another part becomes hidden, under a name that no other module has.
//
// Modules with something that speaks of labels or tables of one assembly (module asm, stack maps, garbage collection, frame
// escapes) aren't split, nor are those with a weak second name of a variable, which would pass for another variable.

#include "module.h"
#include "ownership.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Intrinsics.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Transforms/Utils/ModuleUtils.h"

using namespace llvm;
using namespace larder;

namespace {

class Splitter {
  Module &module;
  Ownership ownership;
  Names names;
  LarderPartitions &result;
  DenseMap<const GlobalValue *, uint64_t> sizes;

public:
  Splitter(Module &module, uint64_t digest, LarderPartitions &result)
      : module(module), ownership(module), names(digest), result(result) {}

  void run(uint32_t count) {
    drop_available_externally();
    own_functions(count);
    ownership.own_variables(result.count);
    for (GlobalValue &value : module.global_values())
      share(value);
    for (GlobalAlias &alias : module.aliases())
      if (is_transparent(alias) && ownership.is_shared(alias))
        names.publish(*alias.getAliaseeObject());
    record();
    raw_svector_ostream stream(result.bitcode);
    WriteBitcodeToFile(module, stream);
  }

private:
  // Bodies that were there for inlining only; inlining is over.
  void drop_available_externally() {
    for (Function &function : module)
      if (function.hasAvailableExternallyLinkage())
        function.deleteBody();
    for (GlobalVariable &variable : module.globals())
      if (variable.hasAvailableExternallyLinkage()) {
        variable.setInitializer(nullptr);
        variable.setLinkage(GlobalValue::ExternalLinkage);
      }
  }

  void own_functions(uint32_t count) {
    uint64_t total = 0;
    for (const Function &function : module) {
      uint64_t size = function.getInstructionCount();
      sizes[ownership.leader(function)] += size;
      total += size;
    }
    const uint64_t share = total / count + 1;
    result.sizes.assign(1, 0);
    for (const Function &function : module)
      if (!function.isDeclaration())
        own_cluster(function, share);
    result.count = result.sizes.size();
  }

  void own_cluster(const GlobalValue &value, uint64_t share) {
    const GlobalValue *leader = ownership.leader(value);
    if (ownership.is_owned(leader))
      return;
    const uint64_t size = sizes.lookup(leader);
    // A part that is nearly full isn't made much longer: the longest part decides when all is done.
    if (result.sizes.back() != 0 && result.sizes.back() + size / 2 > share)
      result.sizes.push_back(0);
    ownership.give(leader, result.sizes.size() - 1);
    result.sizes.back() += size;
  }

  // Makes a value reachable from the other parts, if they use it.
  void share(GlobalValue &value) {
    if (value.isDeclaration() || value.hasAppendingLinkage())
      return;
    if (const auto *variable = dyn_cast<GlobalVariable>(&value);
        variable && is_mergeable(*variable))
      return;
    if (!value.hasLocalLinkage() || ownership.is_shared(value))
      names.publish(value);
  }

  uint32_t recorded_owner(const GlobalValue &value) const {
    const auto *variable = dyn_cast<GlobalVariable>(&value);
    if (value.isDeclaration() || is_used_list(value) || (variable && is_mergeable(*variable)))
      return EVERYWHERE;
    return ownership.owner(value);
  }

  void record() {
    for (const Function &function : module)
      result.functions.push_back(recorded_owner(function));
    for (const GlobalVariable &variable : module.globals())
      result.variables.push_back(recorded_owner(variable));
    for (const GlobalAlias &alias : module.aliases())
      result.aliases.push_back(recorded_owner(alias));
    for (const GlobalIFunc &ifunc : module.ifuncs())
      result.ifuncs.push_back(recorded_owner(ifunc));
  }
};

// --- One part ---

void make_declaration(GlobalVariable &variable) {
  variable.setInitializer(nullptr);
  variable.setLinkage(GlobalValue::ExternalLinkage);
  variable.setComdat(nullptr);
  variable.clearMetadata();
}

void make_declaration(Function &function) {
  function.deleteBody();
  function.setComdat(nullptr);
}

// An alias or an ifunc can't be a declaration; what it stands for, or a plain symbol of that name, takes its place.
template <typename Indirect> void replace_indirect(Indirect &value) {
  if (const auto *alias = dyn_cast<GlobalAlias>(&value); alias && is_transparent(*alias)) {
    value.replaceAllUsesWith(const_cast<Constant *>(alias->getAliasee()));
    value.eraseFromParent();
    return;
  }
  GlobalValue *stand_in = new_stand_in(value, *value.getParent());
  stand_in->takeName(&value);
  value.replaceAllUsesWith(stand_in);
  value.eraseFromParent();
}

// Values of a module with their owners; taken down before anything is added or removed.
template <typename Range>
auto others(Range &&range, const std::vector<uint32_t> &owners, uint32_t index) {
  SmallVector<std::remove_reference_t<decltype(*range.begin())> *> found;
  for (auto [value, owner] : zip_equal(range, owners))
    if (owner != index && owner != EVERYWHERE)
      found.push_back(&value);
  return found;
}

using Described = SmallPtrSet<const Metadata *, 16>;

void add_described(const GlobalVariable &variable, Described &set) {
  SmallVector<DIGlobalVariableExpression *> found;
  variable.getDebugInfo(found);
  set.insert_range(found);
}

// A compile unit lists every variable; each part describes its own, and the first those that have no address at all.
void keep_debug_variables(Module &module, uint32_t index, const Described &foreign) {
  Described own;
  for (const GlobalVariable &variable : module.globals())
    add_described(variable, own);
  for (DICompileUnit *unit : module.debug_compile_units()) {
    SmallVector<Metadata *> kept;
    for (DIGlobalVariableExpression *variable : unit->getGlobalVariables())
      if (own.contains(variable) || (index == 0 && !foreign.contains(variable)))
        kept.push_back(variable);
    unit->replaceGlobalVariables(MDTuple::get(module.getContext(), kept));
  }
}

void erase_unused(Module &module) {
  for (GlobalValue &value : module.global_values())
    value.removeDeadConstantUsers();
  for (Function &function : make_early_inc_range(module))
    if (function.isDeclaration() && function.use_empty())
      function.eraseFromParent();
  for (GlobalVariable &variable : make_early_inc_range(module.globals()))
    if (variable.use_empty() && (variable.isDeclaration() || is_mergeable(variable)))
      variable.eraseFromParent();
}

// Takes away all that belongs to other partitions.
Error keep_partition(Module &module, const LarderPartitions &partitions,
                     uint32_t index) {
  auto functions = others(module.functions(), partitions.functions, index);
  auto variables = others(module.globals(), partitions.variables, index);
  auto aliases = others(module.aliases(), partitions.aliases, index);
  auto ifuncs = others(module.ifuncs(), partitions.ifuncs, index);
  SmallPtrSet<const Constant *, 32> foreign;
  for (GlobalVariable *variable : variables)
    foreign.insert(variable);
  foreign.insert_range(functions);
  foreign.insert_range(aliases);
  foreign.insert_range(ifuncs);
  removeFromUsedLists(module, [&](Constant *value) {
    return foreign.contains(value->stripPointerCasts());
  });

  // Bodies of others go before metadata comes: what only they describe is then never read. And what points at them, since the
  // reader may verify the module at the end.
  for (GlobalAlias *alias : aliases)
    replace_indirect(*alias);
  for (GlobalIFunc *ifunc : ifuncs)
    replace_indirect(*ifunc);
  for (Function *function : functions)
    make_declaration(*function);
  if (Error error = module.materializeAll())
    return error;
  Described described;
  for (GlobalVariable *variable : variables) {
    add_described(*variable, described);
    if (variable->hasAppendingLinkage())
      variable->eraseFromParent();
    else
      make_declaration(*variable);
  }
  erase_unused(module);
  keep_debug_variables(module, index, described);
  return Error::success();
}

} // namespace

larder::Names::Names(uint64_t digest)
    : suffix((".llvm." + Twine(utohexstr(digest, /*LowerCase=*/true, /*Width=*/16))).str()) {}

void larder::Names::publish(GlobalValue &value) {
  // Nobody would keep a definition whose only users are elsewhere.
  if (value.hasLinkOnceLinkage())
    value.setLinkage(value.hasLinkOnceODRLinkage() ? GlobalValue::WeakODRLinkage
                                                   : GlobalValue::WeakAnyLinkage);
  if (!value.hasLocalLinkage())
    return;
  value.setName(value.hasName() ? value.getName() + suffix
                                : "unnamed." + Twine(unnamed++) + suffix);
  value.setLinkage(GlobalValue::ExternalLinkage);
  value.setVisibility(GlobalValue::HiddenVisibility);
}

bool larder::is_mergeable(const GlobalVariable &variable) {
  if (!variable.isConstant() || !variable.hasLocalLinkage() ||
      !variable.hasGlobalUnnamedAddr() || !variable.hasInitializer() ||
      variable.hasSection() || variable.hasComdat() ||
      variable.hasMetadata(LLVMContext::MD_associated))
    return false;
  const auto *data = dyn_cast<ConstantDataSequential>(variable.getInitializer());
  return data && data->isCString();
}

bool larder::is_transparent(const GlobalAlias &alias) {
  const GlobalObject *place = alias.getAliaseeObject();
  return !alias.isInterposable() && place && !place->isInterposable();
}

GlobalValue *larder::new_stand_in(const GlobalValue &value, Module &module) {
  GlobalValue *stand_in;
  if (auto *type = dyn_cast<FunctionType>(value.getValueType()))
    stand_in = Function::Create(type, GlobalValue::ExternalLinkage,
                                value.getAddressSpace(), value.getName(), &module);
  else
    stand_in = new GlobalVariable(module, value.getValueType(), false,
                                  GlobalValue::ExternalLinkage, nullptr,
                                  value.getName(), nullptr,
                                  value.getThreadLocalMode(), value.getAddressSpace());
  stand_in->setVisibility(value.getVisibility());
  stand_in->setDSOLocal(value.isDSOLocal());
  // Its address may be that of another name: with this, nothing is concluded from comparing the two.
  stand_in->setUnnamedAddr(GlobalValue::UnnamedAddr::Global);
  return stand_in;
}

bool larder_can_split(const LarderModule *self) {
  const Module &module = *self->module;
  if (!module.getModuleInlineAsm().empty())
    return false;
  for (const GlobalAlias &alias : module.aliases())
    if (!alias.getValueType()->isFunctionTy() && !is_transparent(alias))
      return false;
  for (const Function &function : module) {
    if (function.hasGC())
      return false;
    switch (function.getIntrinsicID()) {
    case Intrinsic::localescape:
    case Intrinsic::localrecover:
    case Intrinsic::experimental_stackmap:
    case Intrinsic::experimental_patchpoint_void:
    case Intrinsic::experimental_patchpoint:
    case Intrinsic::experimental_gc_statepoint:
      return false;
    default:
      break;
    }
  }
  return true;
}

LarderPartitions *larder_split(LarderModule *self, uint32_t count) {
  auto result = std::make_unique<LarderPartitions>();
  Splitter(*self->module, self->digest, *result).run(count);
  return result.release();
}

uint32_t larder_partition_count(const LarderPartitions *partitions) {
  return partitions->count;
}

uint64_t larder_partition_size(const LarderPartitions *partitions,
                               uint32_t index) {
  return partitions->sizes[index];
}

LarderStatus larder_partition_bitcode(const LarderPartitions *partitions,
                                      uint32_t index, LarderSink sink,
                                      void *context, LarderReceive receive) {
  std::unique_ptr<LLVMContext> own = new_context(sink);
  MemoryBufferRef whole(
      {partitions->bitcode.data(), partitions->bitcode.size()}, "");
  Expected<std::unique_ptr<Module>> module =
      getLazyBitcodeModule(whole, *own, /*ShouldLazyLoadMetadata=*/true);
  if (!module)
    return failed(sink, module.takeError());
  if (Error error = keep_partition(**module, *partitions, index))
    return failed(sink, std::move(error));
  SmallVector<char, 0> bitcode;
  raw_svector_ostream stream(bitcode);
  WriteBitcodeToFile(**module, stream);
  receive(context, bytes({bitcode.data(), bitcode.size()}));
  return LARDER_OK;
}

void larder_partitions_free(LarderPartitions *partitions) { delete partitions; }
