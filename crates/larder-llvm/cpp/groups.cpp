// Takes a large module apart before it is optimised, so that an edit costs the group that it is in and not the whole.
//
// Each group of functions becomes a module of its own, which goes through the whole pipeline by itself. What ThinLTO does between
// files is done here between groups: what was local and is used by another group becomes hidden, and a group that calls small
// functions of another gets copies of them to inline (`available_externally`: from such a body nothing is concluded that
// the definition wouldn't confirm).
//
// The bitcode of a group must not change unless something changes that the group is about. Therefore
//   - boundaries follow from names, not from running lengths: the functions, in their order, are cut where the hash of a name is least,
//     then each half again, until no piece is too long. A function that is added, grows or goes moves no boundary but its
//     own, unless a piece becomes too long;
//   - published names carry a suffix that stays the same from edit to edit, yet is unlike that of any other module of an image: it is made
//     of a strong definition's name, which no two modules of an image can share;
//   - private names don't appear: front ends number them (`.str.17`);
//   - a group holds nothing but what it owns and what that refers to, in the order in which it refers to it.
//
// Not taken apart: what `larder_can_split` says, modules with debug information or coroutines (as in ahead.cpp), block addresses
// that leave their function, assembly that may speak of local names, and modules without a strong definition.

#include "copy.h"
#include "module.h"
#include "ownership.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"
#include "llvm/Transforms/Utils/ModuleUtils.h"

using namespace llvm;
using namespace larder;

namespace {

// About how many groups a module has, and the bounds of their lengths in instructions. An edit costs one of them or a few; each costs
// a few milliseconds to set up.
constexpr uint64_t GROUP_COUNT = 50;
constexpr uint64_t GROUP_SIZE_MIN = 2048, GROUP_SIZE_MAX = 32768;
// The longest function of which other groups get a copy, in instructions that are left once variables live in registers: what the
// inliner takes at -O2 without further reasons.
constexpr uint64_t COPY_SIZE_MAX = 45;
// How far a chain of such functions is followed.
constexpr unsigned COPY_DEPTH_MAX = 3;

// --- Where to cut ---

// What stays together: a function, or a cluster at the place of its first function.
struct Piece {
  const GlobalValue *leader;
  uint64_t size;
  uint64_t hash;
};

// Marks the pieces that begin a group. `pieces[first]` is marked already.
void cut(ArrayRef<Piece> pieces, size_t first, size_t end, uint64_t size_max,
         std::vector<bool> &begins) {
  uint64_t total = 0;
  for (size_t at = first; at < end; ++at)
    total += pieces[at].size;
  if (total <= size_max)
    return;
  // Not so near an end that next to nothing is cut off.
  std::optional<size_t> best;
  uint64_t before = 0;
  for (size_t at = first; at < end; before += pieces[at++].size)
    if (before >= size_max / 4 && total - before >= size_max / 4 &&
        (!best || pieces[at].hash < pieces[*best].hash))
      best = at;
  if (!best || *best == first)
    return;
  begins[*best] = true;
  cut(pieces, first, *best, size_max, begins);
  cut(pieces, *best, end, size_max, begins);
}

// A power of two, so that it seldom changes as the module grows.
uint64_t size_max(uint64_t total) {
  return std::clamp(bit_floor(total / GROUP_COUNT), GROUP_SIZE_MIN, GROUP_SIZE_MAX);
}

// --- What to copy ---

bool is_scaffolding(const Instruction &instruction) {
  if (isa<AllocaInst>(instruction) || instruction.isLifetimeStartOrEnd() ||
      instruction.isDebugOrPseudoInst())
    return true;
  const Value *pointer = getLoadStorePointerOperand(&instruction);
  return pointer && isa<AllocaInst>(pointer->stripInBoundsOffsets());
}

bool has_block_addresses(const Function &function) {
  return any_of(function, [](const BasicBlock &block) { return block.hasAddressTaken(); });
}

bool is_copyable(const Function &function, bool inlines) {
  if (function.isDeclaration() || function.isInterposable() || function.isVarArg() ||
      function.hasFnAttribute(Attribute::NoInline) || function.hasOptNone() ||
      function.isPresplitCoroutine() || has_block_addresses(function))
    return false;
  if (function.hasFnAttribute(Attribute::AlwaysInline))
    return true;
  if (!inlines)
    return false;
  uint64_t size = 0;
  for (const Instruction &instruction : instructions(function))
    if (!is_scaffolding(instruction) && ++size > COPY_SIZE_MAX)
      return false;
  return true;
}

template <typename Visit> void each_callee(const Function &function, Visit visit) {
  for (const Instruction &instruction : instructions(function))
    if (const auto *call = dyn_cast<CallBase>(&instruction))
      if (Function *callee = call->getCalledFunction(); callee && !callee->isIntrinsic())
        visit(*callee);
}

// --- One group ---

class Extractor {
  Module part;
  ValueToValueMapTy values;
  Declarer declarer;
  // Functions of the module with theirs in the part: whose bodies are moved, and whose are copied.
  SmallVector<std::pair<Function *, Function *>> moved, copied;
  SmallVector<GlobalVariable *> variables;
  SmallVector<GlobalValue *> indirect;

public:
  Extractor(Module &module, Names &names)
      : part(module.getModuleIdentifier(), module.getContext()),
        declarer(part, names, values) {
    copy_module_properties(module, part);
  }

  // A function that `is_copied` by other groups keeps its body, for those that come later.
  void own(GlobalValue &value, bool is_copied) {
    if (auto *function = dyn_cast<Function>(&value)) {
      const bool stays = is_copied || has_block_addresses(*function);
      add_body(*function, function->getLinkage(), stays ? copied : moved);
      copy_comdat(*function);
    } else if (auto *variable = dyn_cast<GlobalVariable>(&value)) {
      auto *copy = new GlobalVariable(
          part, variable->getValueType(), variable->isConstant(),
          variable->getLinkage(), nullptr, name(*variable), nullptr,
          variable->getThreadLocalMode(), variable->getAddressSpace());
      copy->copyAttributesFrom(variable);
      values[variable] = copy;
      copy_comdat(*variable);
      variables.push_back(variable);
    } else
      own_indirect(value);
  }

  void copy(Function &function) {
    add_body(function, GlobalValue::AvailableExternallyLinkage, copied);
  }

  void finish(ArrayRef<GlobalValue *> used, ArrayRef<GlobalValue *> compiler_used) {
    for (auto [from, to] : moved)
      move_body(*from, *to, values, declarer);
    for (auto [from, to] : copied)
      copy_body(*from, *to, values, declarer);
    for (GlobalVariable *variable : variables)
      fill(*variable);
    for (GlobalValue *value : indirect)
      fill_indirect(*value);
    appendToUsed(part, copies(used));
    appendToCompilerUsed(part, copies(compiler_used));
  }

  SmallVector<char, 0> bitcode() const {
    SmallVector<char, 0> bytes;
    raw_svector_ostream stream(bytes);
    WriteBitcodeToFile(part, stream);
    return bytes;
  }

private:
  static StringRef name(const GlobalValue &value) {
    return value.hasPrivateLinkage() ? "" : value.getName();
  }

  void add_body(Function &function, GlobalValue::LinkageTypes linkage,
                SmallVectorImpl<std::pair<Function *, Function *>> &bodies) {
    Function *copy = declarer.declare(function, name(function));
    copy->setLinkage(linkage);
    values[&function] = copy;
    bodies.emplace_back(&function, copy);
  }

  void copy_comdat(const GlobalObject &object) {
    const Comdat *from = object.getComdat();
    if (!from)
      return;
    Comdat *to = part.getOrInsertComdat(from->getName());
    to->setSelectionKind(from->getSelectionKind());
    cast<GlobalObject>(values[&object])->setComdat(to);
  }

  // An alias and an ifunc need what they stand for when they are made; that is a function or a variable of the same cluster, which
  // may come later. So they begin as aliases of nothing.
  void own_indirect(GlobalValue &value) {
    if (auto *alias = dyn_cast<GlobalAlias>(&value)) {
      auto *copy = GlobalAlias::create(value.getValueType(), value.getAddressSpace(),
                                       value.getLinkage(), name(value), &part);
      copy->copyAttributesFrom(alias);
      values[&value] = copy;
    } else {
      auto *copy = GlobalIFunc::create(value.getValueType(), value.getAddressSpace(),
                                       value.getLinkage(), name(value), nullptr, &part);
      copy->copyAttributesFrom(cast<GlobalIFunc>(&value));
      values[&value] = copy;
    }
    indirect.push_back(&value);
  }

  Constant *map(const Constant *constant) {
    return MapValue(constant, values, RF_None, nullptr, &declarer);
  }

  void fill(const GlobalVariable &variable) {
    auto *copy = cast<GlobalVariable>(values[&variable]);
    copy->setInitializer(map(variable.getInitializer()));
    SmallVector<std::pair<unsigned, MDNode *>> attachments;
    variable.getAllMetadata(attachments);
    for (auto [kind, node] : attachments)
      copy->addMetadata(kind, *MapMetadata(node, values, RF_None, nullptr, &declarer));
  }

  void fill_indirect(GlobalValue &value) {
    if (auto *alias = dyn_cast<GlobalAlias>(&value))
      cast<GlobalAlias>(values[alias])->setAliasee(map(alias->getAliasee()));
    else if (auto *ifunc = dyn_cast<GlobalIFunc>(&value))
      cast<GlobalIFunc>(values[ifunc])->setResolver(map(ifunc->getResolver()));
  }

  SmallVector<GlobalValue *> copies(ArrayRef<GlobalValue *> originals) {
    SmallVector<GlobalValue *> found;
    for (GlobalValue *original : originals)
      found.push_back(cast<GlobalValue>(values[original]));
    return found;
  }
};

// --- The whole module ---

struct Group {
  SmallVector<GlobalValue *> owned;
  SetVector<Function *> copied;
  SmallVector<GlobalValue *> used, compiler_used;
  uint64_t size = 0;
};

class Grouper {
  LarderModule &self;
  Module &module;
  Ownership ownership;
  Names names;
  std::vector<Group> groups;
  DenseMap<const Function *, bool> copyable;
  // Functions of which some other group gets a copy.
  DenseSet<const GlobalValue *> copied;
  // Local values that such a copy refers to.
  DenseSet<const GlobalValue *> referred;

public:
  Grouper(LarderModule &self, uint64_t identity)
      : self(self), module(*self.module), ownership(module), names(identity) {}

  void run() {
    own_functions();
    ownership.own_variables(groups.size());
    for (Group &group : groups)
      choose_copies(group);
    publish();
    for (GlobalValue &value : module.global_values())
      if (is_owned(value))
        groups[ownership.owner(value)].owned.push_back(&value);
    note_used();
    for (const Group &group : groups)
      extract(group);
  }

private:
  // What is defined here and nothing but a copy.
  static bool is_owned(const GlobalValue &value) {
    const auto *variable = dyn_cast<GlobalVariable>(&value);
    return !value.isDeclarationForLinker() && !is_used_list(value) &&
           !(variable && is_mergeable(*variable));
  }

  void own_functions() {
    std::vector<Piece> pieces = find_pieces();
    uint64_t total = 0;
    for (const Piece &piece : pieces)
      total += piece.size;
    std::vector<bool> begins(pieces.size());
    cut(pieces, 0, pieces.size(), size_max(total), begins);
    groups.resize(1);
    for (auto [piece, begins_group] : zip_equal(pieces, begins)) {
      if (begins_group)
        groups.emplace_back();
      groups.back().size += piece.size;
      ownership.give(piece.leader, groups.size() - 1);
    }
    for (Function &function : module)
      if (!function.isDeclarationForLinker())
        groups[ownership.owner(function)].copied.insert(&function);
  }

  std::vector<Piece> find_pieces() const {
    std::vector<Piece> pieces;
    DenseMap<const GlobalValue *, size_t> places;
    for (const Function &function : module) {
      if (function.isDeclarationForLinker())
        continue;
      const GlobalValue *leader = ownership.leader(function);
      auto [place, is_new] = places.try_emplace(leader, pieces.size());
      if (is_new)
        pieces.push_back({leader, 0, xxh3_64bits(function.getName())});
      pieces[place->second].size += function.getInstructionCount();
    }
    return pieces;
  }

  bool is_copyable(const Function &function) {
    auto [found, is_new] = copyable.try_emplace(&function, false);
    if (is_new) {
      const bool result = ::is_copyable(function, self.settings.level != 0);
      copyable[&function] = result;
      return result;
    }
    return found->second;
  }

  // Replaces the group's own functions in its list by those that it gets copies of.
  void choose_copies(Group &group) {
    SetVector<Function *> own;
    std::swap(own, group.copied);
    SmallVector<Function *> level(own.begin(), own.end());
    for (unsigned depth = 0; depth < COPY_DEPTH_MAX && !level.empty(); ++depth) {
      SmallVector<Function *> next;
      for (const Function *function : level)
        each_callee(*function, [&](Function &callee) {
          if (!own.contains(&callee) && is_copyable(callee) && group.copied.insert(&callee))
            next.push_back(&callee);
        });
      level = std::move(next);
    }
    for (Function *function : group.copied) {
      copied.insert(function);
      referred.insert(function);
      each_used(*function, [&](GlobalValue &value) { referred.insert(&value); });
    }
  }

  void publish() {
    for (const GlobalAlias &alias : module.aliases())
      if (is_transparent(alias) && (referred.contains(&alias) || ownership.is_shared(alias)))
        referred.insert(alias.getAliaseeObject());
    StringMap<unsigned> counts;
    for (GlobalValue &value : module.global_values()) {
      if (!is_owned(value) || value.hasAppendingLinkage())
        continue;
      if (!referred.contains(&value) && !ownership.is_shared(value))
        continue;
      if (value.hasPrivateLinkage() || !value.hasName())
        name_by_user(value, counts);
      names.publish(value);
    }
  }

  // A name that stays when the module gets other private values elsewhere.
  void name_by_user(GlobalValue &value, StringMap<unsigned> &counts) {
    StringRef user_name = "nobody";
    each_user(value, [&](const GlobalValue &user) {
      if (user.hasName() && !user.hasPrivateLinkage() &&
          (user_name == "nobody" || user.getName() < user_name))
        user_name = user.getName();
    });
    const unsigned number = counts[user_name]++;
    value.setName(user_name + ".private." + Twine(number));
  }

  void note_used() {
    const auto note = [&](bool compiler_used, SmallVector<GlobalValue *> Group::*list) {
      SmallVector<GlobalValue *> values;
      collectUsedGlobalVariables(module, values, compiler_used);
      for (GlobalValue *value : values)
        if (is_owned(*value))
          (groups[ownership.owner(*value)].*list).push_back(value);
    };
    note(false, &Group::used);
    note(true, &Group::compiler_used);
  }

  void extract(const Group &group) {
    Extractor extractor(module, names);
    for (GlobalValue *value : group.owned)
      extractor.own(*value, copied.contains(value));
    for (Function *function : group.copied)
      extractor.copy(*function);
    extractor.finish(group.used, group.compiler_used);
    const SmallVector<char, 0> bitcode = extractor.bitcode();
    self.sink.part(self.sink.context, bytes({bitcode.data(), bitcode.size()}), group.size);
  }
};

// A local name that only assembly says must be in the same object, under that name.
bool may_name_locals_in_assembly(const Module &module) {
  SmallVector<GlobalValue *> used;
  collectUsedGlobalVariables(module, used, /*CompilerUsed=*/false);
  collectUsedGlobalVariables(module, used, /*CompilerUsed=*/true);
  if (none_of(used, [](const GlobalValue *value) { return value->hasLocalLinkage(); }))
    return false;
  return has_inline_assembly(module);
}

bool has_wandering_block_addresses(const Module &module) {
  for (const Function &function : module)
    for (const BasicBlock &block : function)
      if (const BlockAddress *address = BlockAddress::lookup(&block)) {
        bool leaves = false;
        each_user(*address, [&](const GlobalValue &user) { leaves |= isa<Function>(user) && &user != &function; });
        if (leaves)
          return true;
      }
  return false;
}

} // namespace

std::optional<uint64_t> larder::identity_of(const Module &module) {
  std::optional<uint64_t> least;
  for (const GlobalValue &value : module.global_values())
    if (value.hasExternalLinkage() && !value.isDeclaration() && value.hasName() &&
        !value.hasComdat()) {
      const uint64_t hash = xxh3_64bits(value.getName());
      least = std::min(least.value_or(UINT64_MAX), hash);
    }
  return least;
}

bool larder_can_group(const LarderModule *self) {
  const Module &module = *self->module;
  return self->settings.pipeline.len == 0 && larder_can_split(self) &&
         Ahead::is_possible(module) && self->identity &&
         !has_wandering_block_addresses(module) &&
         !may_name_locals_in_assembly(module);
}

void larder_group(LarderModule *self) {
  Grouper(*self, *self->identity).run();
}
