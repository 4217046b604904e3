// Guards: what code counts on beyond its own module, and how that stays visible in objects.
//
// A function may count on a heap object of the host (that it is there, or that it is what it was: then even its contents may be
// folded into code) and on the host's answer to a question. When the host's process can't confirm that, exactly the functions
// that count on it are taken out of use. So it must be seen of each function in an object what it counts on, after inlining and
// folding have done their work.
//
// Markers. At the entry of each function that counts on something stands an inline assembly without a byte of code: it writes the
// place and the guard's symbol into a section. Inlined copies carry theirs along. What a function counts on is what its code and,
// through variables, its data refer to: the same that the linker finds by relocations, where folding left any.
//
// Facts travel without inlining, too: what a function returns, that it doesn't throw, that it touches no memory. Were such a fact
// concluded from what is only guarded, the caller would count on it without a marker. Therefore all functions that count on
// something, or could reach one that does, have definitions that the optimiser takes for one of several (`weak_odr`): it may
// inline them, marker and all, and concludes nothing else. Before code is generated they are what they were.
//   - Reaching is by references: calls, addresses, data. A function that calls through pointers can reach every function whose address is
//     taken.
//   - Local ones become hidden, with names that no other module has: whoever replaces one finds it by name, and its signature
//     stays.
//   - Facts travel down as well, in arguments; but only to local functions, which are compiled again with those that call them,
//     and through local variables: so those that such functions can reach are hidden instead of local. They also stay, whatever
//     becomes of their users: functions that are compiled later use them by name.
//
// Objects are declared `extern_weak`: nothing is concluded from comparing addresses. Two names are two objects that don't overlap,
// as any two variables of a module.
//
// A coroutine that counts on something is refused: its parts would have to be replaced while it is suspended. In a module with
// coroutines functions that count on something aren't inlined, so that no part of a coroutine does.

#include "guards.h"

#include "markers.h"
#include "objects.h"
#include "ownership.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Transforms/IPO/SCCP.h"
#include "llvm/Transforms/Utils/ModuleUtils.h"

#include <set>

using namespace llvm;
using namespace larder;

namespace {

constexpr StringLiteral GUARD = "larder.guard";
constexpr StringLiteral GUARDS = "larder.guards";
// A function that counts on the presence of an object to which nothing refers.
constexpr StringLiteral PRESENT = "larder.present";
constexpr StringLiteral FALLBACK = "larder-fallback";
// A function's fallback while modules are linked, which renames local functions.
constexpr StringLiteral FALLBACK_NODE = "larder.fallback";
// Module flag.
constexpr StringLiteral GUARDED = "larder.guarded";
// Remembers that a definition is the only one.
constexpr StringLiteral ONLY_DEFINITION = "larder-only-definition";

std::string predicate_symbol(uint32_t order, uint64_t expected, StringRef name, StringRef arguments) {
  return (GUARD + "$" + hexadecimal(order, 8) + "$" + hexadecimal(expected, 16) + "$" + escaped(name) + "$" +
          escaped(arguments))
      .str();
}

void tie_to_fallback(Function &function) {
  Module &module = *function.getParent();
  Function *fallback = module.getFunction(function.getFnAttribute(FALLBACK).getValueAsString());
  if (!fallback)
    return;
  LLVMContext &context = module.getContext();
  function.setMetadata(FALLBACK_NODE, MDNode::get(context, ValueAsMetadata::get(fallback)));
  // Nothing else may refer to it.
  if (!fallback->isDeclaration() && fallback->isDiscardableIfUnused())
    appendToCompilerUsed(module, {fallback});
}

// --- Who counts on what ---

using Symbols = std::set<std::string>;

bool calls_through_pointers(const Function &function) {
  return any_of(instructions(function), [](const Instruction &instruction) {
    const auto *call = dyn_cast<CallBase>(&instruction);
    return call && call->isIndirectCall();
  });
}

bool is_definition(const Function &function) { return !function.isDeclarationForLinker(); }

class Guards {
  LarderModule &self;
  Module &module;
  Names names;
  DenseMap<const MDNode *, std::string> predicates;
  // What each function counts on.
  MapVector<Function *, Symbols> guarded;
  // Those, and all that could reach one.
  SetVector<Function *> affected;

public:
  // Names that stay when the module is compiled again, in a form that is the same to its host and other bytes.
  explicit Guards(LarderModule &self)
      : self(self), module(*self.module), names(~self.identity.value_or(self.digest)) {}

  LarderStatus run() {
    for (const auto step : {&Guards::read_predicates, &Guards::check_objects, &Guards::find_guarded,
                            &Guards::check_fallbacks})
      if (LarderStatus status = (this->*step)(); status != LARDER_OK)
        return status;
    if (guarded.empty()) {
      forget_fallbacks();
      return LARDER_OK;
    }
    if (LarderStatus status = keep_coroutines_apart(); status != LARDER_OK)
      return status;
    find_affected();
    if (LarderStatus status = check_assembly(); status != LARDER_OK)
      return status;
    publish_reached();
    for (Function *function : affected)
      hide_facts(*function);
    name_fallbacks();
    for (auto &[function, symbols] : guarded)
      mark(*function, symbols);
    declare_weak();
    module.addModuleFlag(Module::Max, GUARDED, 1);
    return LARDER_OK;
  }

private:
  LarderStatus malformed(const Twine &message) {
    report(self.sink, larder::ERROR, message.str());
    return LARDER_MALFORMED;
  }
  LarderStatus unsupported(const Twine &message) {
    report(self.sink, larder::ERROR, message.str());
    return LARDER_UNSUPPORTED;
  }

  LarderStatus read_predicates() {
    const NamedMDNode *list = module.getNamedMetadata(GUARDS);
    if (!list)
      return LARDER_OK;
    // Of modules that were linked, each has a list; what both say is asked once.
    for (auto [place, node] : enumerate(list->operands())) {
      const std::optional<StringRef> name = string_operand(*node, 0), arguments = string_operand(*node, 1);
      const std::optional<uint64_t> expected = number_operand(*node, 2);
      if (!name || !is_name(*name) || !arguments || arguments->contains('\0') || !expected ||
          node->getNumOperands() != 3)
        return malformed("entry " + Twine(place) +
                         " of !larder.guards must be !{!\"predicate\", !\"arguments\", i64 expected}");
      predicates.try_emplace(node, predicate_symbol(predicates.size(), *expected, *name, *arguments));
    }
    return LARDER_OK;
  }

  LarderStatus check_objects() {
    const std::string wrong = wrong_object(module);
    return wrong.empty() ? LARDER_OK : malformed(wrong);
  }

  LarderStatus find_guarded() {
    MapVector<Function *, Symbols> found;
    for (Function &function : module) {
      SmallVector<MDNode *, 2> nodes;
      function.getMetadata(GUARD, nodes);
      function.eraseMetadata(module.getContext().getMDKindID(GUARD));
      for (const MDNode *node : nodes) {
        const auto predicate = predicates.find(node);
        if (predicate == predicates.end())
          return malformed("function " + function.getName() +
                           ": its !larder.guard isn't in !larder.guards, which says in which order guards are asked");
        if (!function.isDeclaration())
          found[&function].insert(predicate->second);
      }
    }
    for (Function &function : module) {
      SmallVector<MDNode *, 2> nodes;
      function.getMetadata(PRESENT, nodes);
      for (const MDNode *node : nodes) {
        const std::optional<StringRef> name = string_operand(*node, 0);
        if (!name || !is_name(*name))
          return malformed("function " + function.getName() + ": !larder.present must be !{!\"name\"}");
        if (!function.isDeclaration())
          found[&function].insert(object_symbol(*name, std::nullopt));
      }
    }
    for (const GlobalVariable &variable : module.globals())
      if (is_object(variable))
        each_function_with(variable, [&](Function &function) { found[&function].insert(variable.getName().str()); });
    // In the module's order, whatever led there.
    for (Function &function : module)
      if (const auto entry = found.find(&function); entry != found.end())
        guarded.insert(*entry);
    return LARDER_OK;
  }

  // --- Fallbacks ---

  static Function *fallback_of(const Function &function) {
    if (const MDNode *node = function.getMetadata(FALLBACK_NODE))
      if (const auto *value = dyn_cast_or_null<ValueAsMetadata>(node->getOperand(0).get()))
        return dyn_cast<Function>(value->getValue());
    return nullptr;
  }

  // What of attributes decides where arguments and results are.
  static bool agree(const Function &one, const Function &other) {
    const auto differ = [](AttributeSet one, AttributeSet other) {
      for (Attribute::AttrKind kind : {Attribute::StructRet, Attribute::ByVal, Attribute::InAlloca, Attribute::InReg,
                                       Attribute::SwiftSelf, Attribute::SwiftAsync, Attribute::SwiftError,
                                       Attribute::Preallocated, Attribute::ByRef, Attribute::Nest, Attribute::ZExt,
                                       Attribute::SExt})
        if (one.getAttribute(kind) != other.getAttribute(kind))
          return true;
      return false;
    };
    if (one.getFunctionType() != other.getFunctionType() || one.getCallingConv() != other.getCallingConv() ||
        differ(one.getAttributes().getRetAttrs(), other.getAttributes().getRetAttrs()))
      return false;
    for (unsigned index = 0; index < one.arg_size(); ++index)
      if (differ(one.getAttributes().getParamAttrs(index), other.getAttributes().getParamAttrs(index)))
        return false;
    return true;
  }

  LarderStatus check_fallbacks() {
    for (const Function &function : module) {
      if (!function.hasFnAttribute(FALLBACK) || function.isDeclaration())
        continue;
      const StringRef name = function.getFnAttribute(FALLBACK).getValueAsString();
      const Function *fallback = fallback_of(function);
      if (!fallback)
        return malformed("function " + function.getName() + ": the module has no function " + name +
                         " to be its fallback");
      if (fallback == &function)
        return malformed("function " + function.getName() + " is its own fallback");
      if (!agree(function, *fallback))
        return malformed("function " + function.getName() + ": its fallback " + fallback->getName() +
                         " has another signature or calling convention");
    }
    return LARDER_OK;
  }

  // The names are final from here on.
  void name_fallbacks() {
    for (Function &function : module) {
      Function *fallback = function.isDeclaration() ? nullptr : fallback_of(function);
      if (!fallback)
        continue;
      // A part of a coroutine has other parameters than the whole.
      if (function.isPresplitCoroutine()) {
        function.removeFnAttr(FALLBACK);
        continue;
      }
      if (!fallback->isDeclaration()) {
        names.publish(*fallback);
        appendToCompilerUsed(module, {fallback});
      }
      function.addFnAttr(FALLBACK, fallback->getName());
      function.eraseMetadata(module.getContext().getMDKindID(FALLBACK_NODE));
    }
  }

  // Nothing can fail.
  void forget_fallbacks() {
    for (Function &function : module)
      function.removeFnAttr(FALLBACK);
  }

  // --- Coroutines ---

  LarderStatus keep_coroutines_apart() {
    const auto is_coroutine = [](const Function &function) {
      return function.isPresplitCoroutine() && !function.isDeclaration();
    };
    if (none_of(module, is_coroutine))
      return LARDER_OK;
    for (auto &[function, symbols] : guarded) {
      if (function->isPresplitCoroutine())
        return unsupported("coroutine " + function->getName() + " counts on " + *symbols.begin() +
                           ": it could not be replaced while it is suspended; move that into a function that it calls");
      function->removeFnAttr(Attribute::AlwaysInline);
      function->addFnAttr(Attribute::NoInline);
    }
    return LARDER_OK;
  }

  // --- Linkage ---

  void find_affected() {
    std::optional<SmallVector<Function *>> calling;
    const auto add = [&](Function &function) { affected.insert(&function); };
    for (auto &[function, symbols] : guarded)
      add(*function);
    for (size_t next = 0; next < affected.size(); ++next) {
      Function &function = *affected[next];
      each_function_with(function, add);
      if (calling || !function.hasAddressTaken())
        continue;
      calling.emplace();
      for (Function &other : module)
        if (!other.isDeclaration() && calls_through_pointers(other))
          add(other);
    }
  }

  // Assembly speaks of local names, and would go on to.
  LarderStatus check_assembly() {
    if (module.getModuleInlineAsm().empty() && !has_inline_assembly(module))
      return LARDER_OK;
    SmallVector<GlobalValue *> used;
    collectUsedGlobalVariables(module, used, /*CompilerUsed=*/false);
    collectUsedGlobalVariables(module, used, /*CompilerUsed=*/true);
    for (const GlobalValue *value : used)
      if (value->hasLocalLinkage() && !is_fallback(*value))
        return unsupported("assembly may use the local name " + value->getName() +
                           ", which would have to become a symbol, since the module counts on objects or predicates of "
                           "its host; give it external linkage");
    return LARDER_OK;
  }

  bool is_fallback(const GlobalValue &value) const {
    return any_of(module, [&](const Function &function) { return fallback_of(function) == &value; });
  }

  static bool is_plain_constant(const GlobalVariable &variable) {
    return variable.isConstant() && variable.hasGlobalUnnamedAddr();
  }

  // Variables, and functions with an address that matters, which affected functions can reach.
  void publish_reached() {
    SetVector<GlobalValue *> reached;
    const auto reach = [&](GlobalValue &value) { reached.insert(&value); };
    for (Function *function : affected)
      reach(*function);
    for (size_t next = 0; next < reached.size(); ++next)
      each_used(*reached[next], reach);
    SmallVector<GlobalValue *> kept;
    for (GlobalVariable &variable : module.globals())
      if (reached.contains(&variable) && !variable.isDeclarationForLinker() && !variable.hasAppendingLinkage() &&
          !is_plain_constant(variable) && (variable.hasLocalLinkage() || !variable.isConstant()))
        kept.push_back(&variable);
    for (Function &function : module)
      if (reached.contains(&function) && function.hasLocalLinkage() && !affected.contains(&function) &&
          function.hasAddressTaken())
        kept.push_back(&function);
    for (GlobalValue *value : kept)
      names.publish(*value);
    appendToUsed(module, kept);
  }

  void hide_facts(Function &function) {
    if (!is_definition(function))
      return;
    if (function.hasLocalLinkage())
      names.publish(function);
    if (!function.hasExternalLinkage())
      return;
    function.setLinkage(GlobalValue::WeakODRLinkage);
    function.addFnAttr(ONLY_DEFINITION);
  }

  void declare_weak() {
    for (GlobalVariable &variable : module.globals())
      if (is_object(variable)) {
        variable.setVisibility(GlobalValue::DefaultVisibility);
        if (variable.isDeclaration())
          variable.setLinkage(GlobalValue::ExternalWeakLinkage);
      }
  }

  // --- Markers ---

  static void mark(Function &function, const Symbols &symbols) {
    BasicBlock &entry = function.getEntryBlock();
    BasicBlock::iterator place = entry.getFirstNonPHIOrDbgOrAlloca();
    for (const std::string &symbol : symbols)
      new_marker(symbol, function.getContext())->insertBefore(entry, place);
  }
};

} // namespace

void larder::name_guarded(Module &module) {
  name_objects(module);
  for (Function &function : module)
    if (!function.isDeclaration() && function.hasFnAttribute(FALLBACK) && !function.hasMetadata(FALLBACK_NODE))
      tie_to_fallback(function);
}

void larder::count_on_presence(Function &function, StringRef name) {
  LLVMContext &context = function.getContext();
  function.addMetadata(PRESENT, *MDNode::get(context, MDString::get(context, name)));
}

LarderStatus larder::prepare_guards(LarderModule &self) { return Guards(self).run(); }

namespace {

// Opens the list of passes that a pass manager keeps to its heirs.
struct Opened : ModulePassManager {
  static auto &of(ModulePassManager &passes) { return passes.*&Opened::Passes; }
};

} // namespace

bool larder::guard_passes(const Module &module, ModulePassManager &passes) {
  if (!module.getModuleFlag(GUARDED))
    return true;
  for (auto &pass : Opened::of(passes)) {
    if (pass->name().starts_with("RepeatedPass"))
      return false;
    if (pass->name() == "IPSCCPPass") {
      // LLVM's own option for this is the whole process's.
      ModulePassManager without_copies;
      without_copies.addPass(IPSCCPPass(IPSCCPOptions(/*AllowFuncSpec=*/false)));
      pass = std::move(Opened::of(without_copies).front());
    }
  }
  return true;
}

void larder::guard_pipeline(const Module &module, PassBuilder &builder) {
  if (!module.getModuleFlag(GUARDED))
    return;
  builder.registerPeepholeEPCallback(
      [](FunctionPassManager &passes, OptimizationLevel) { passes.addPass(GatherMarkers()); });
}

void larder::finish_guards(Module &module) {
  std::string rows;
  for (Function &function : module) {
    if (!is_definition(function))
      continue;
    if (function.hasFnAttribute(ONLY_DEFINITION) && function.hasWeakODRLinkage())
      function.setLinkage(GlobalValue::ExternalLinkage);
    if (function.hasFnAttribute(FALLBACK))
      rows += ("\n.quad \"" + GlobalValue::dropLLVMManglingEscape(function.getName()) + "\"\n.quad \"" +
               GlobalValue::dropLLVMManglingEscape(function.getFnAttribute(FALLBACK).getValueAsString()) + "\"")
                  .str();
  }
  if (!rows.empty())
    module.appendModuleInlineAsm(".pushsection .larder.fallbacks,\"\",@progbits" + rows + "\n.popsection");
}
