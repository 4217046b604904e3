// A few functions of a module, to take the place of those in an image of the whole.
//
// What the image has is used, by name: functions that are neither wanted nor local, and all variables that change, of which there
// must not be two. What it doesn't have comes along: local functions (those in the image may have lost arguments), constants, and
// what was inlined everywhere. None of that is visible outside of the new image.
//
// Names are those that `prepare_guards` gives, as it did when the whole module was compiled.

#include "unit.h"

#include "ownership.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DebugInfoMetadata.h"

using namespace llvm;
using namespace larder;

namespace {

class Unit {
  LarderModule &self;
  Module &module;
  StringSet<> present;
  SetVector<GlobalValue *> wanted, kept;

public:
  Unit(LarderModule &self, StringRef present) : self(self), module(*self.module) {
    each_name(present, [&](StringRef name) { this->present.insert(name); });
  }

  LarderStatus run(StringRef names) {
    resolve_aliases();
    if (LarderStatus status = find_wanted(names); status != LARDER_OK)
      return status;
    kept = wanted;
    for (size_t next = 0; next < kept.size(); ++next)
      each_used(*kept[next], [&](GlobalValue &used) {
        if (!used.isDeclarationForLinker() && !is_present(used))
          kept.insert(&used);
      });
    if (LarderStatus status = check_kept(); status != LARDER_OK)
      return status;
    module.setModuleInlineAsm("");
    remove_others();
    for (GlobalValue *value : kept)
      hide(*value);
    for (GlobalValue *function : wanted)
      show(*cast<Function>(function));
    return LARDER_OK;
  }

private:
  LarderStatus unsupported(const Twine &message) {
    report(self.sink, larder::ERROR, message.str());
    return LARDER_UNSUPPORTED;
  }

  bool is_present(const GlobalValue &value) const {
    return !value.hasLocalLinkage() && present.contains(value.getName());
  }

  // A name that the image doesn't have, for a place that it may have.
  void resolve_aliases() {
    for (GlobalAlias &alias : make_early_inc_range(module.aliases()))
      if (!is_present(alias)) {
        alias.replaceAllUsesWith(alias.getAliasee());
        alias.eraseFromParent();
      }
  }

  LarderStatus find_wanted(StringRef names) {
    LarderStatus status = LARDER_OK;
    each_name(names, [&](StringRef name) {
      Function *function = module.getFunction(name);
      if (function && !function->isDeclarationForLinker())
        wanted.insert(function);
      else
        status = unsupported("the module has no function " + name + " to be compiled by itself");
    });
    return status;
  }

  LarderStatus check_kept() {
    for (const GlobalValue *value : kept) {
      const auto *variable = dyn_cast<GlobalVariable>(value);
      if (variable && !variable->isConstant())
        return unsupported("variable " + value->getName() +
                           " is needed and isn't in the image: there can't be a second one");
      if (isa<GlobalIFunc>(value))
        return unsupported("function " + value->getName() +
                           " is needed, isn't in the image, and is chosen when that is loaded");
    }
    return LARDER_OK;
  }

  void remove_others() {
    for (GlobalVariable &variable : make_early_inc_range(module.globals()))
      if (variable.hasAppendingLinkage())
        variable.eraseFromParent();
    for (Function &function : module)
      if (!kept.contains(&function) && !function.isDeclaration())
        make_declaration(function);
    for (GlobalVariable &variable : module.globals())
      if (!kept.contains(&variable) && !variable.isDeclarationForLinker())
        make_declaration(variable);
    for (GlobalAlias &alias : make_early_inc_range(module.aliases()))
      replace_by_symbol(alias);
    for (GlobalIFunc &ifunc : make_early_inc_range(module.ifuncs()))
      replace_by_symbol(ifunc);
    for (DICompileUnit *unit : module.debug_compile_units())
      unit->replaceGlobalVariables(nullptr);
    for (GlobalValue &value : module.global_values())
      value.removeDeadConstantUsers();
    for (Function &function : make_early_inc_range(module))
      if (function.isDeclaration() && function.use_empty())
        function.eraseFromParent();
    for (GlobalVariable &variable : make_early_inc_range(module.globals()))
      if (variable.isDeclaration() && variable.use_empty())
        variable.eraseFromParent();
  }

  static void make_import(GlobalObject &object) {
    object.setLinkage(GlobalValue::ExternalLinkage);
    object.setVisibility(GlobalValue::DefaultVisibility);
    object.setComdat(nullptr);
    object.clearMetadata();
  }

  static void make_declaration(Function &function) {
    function.deleteBody();
    make_import(function);
  }

  static void make_declaration(GlobalVariable &variable) {
    variable.setInitializer(nullptr);
    make_import(variable);
  }

  template <typename Indirect> void replace_by_symbol(Indirect &value) {
    GlobalValue *symbol = new_stand_in(value, module);
    symbol->setVisibility(GlobalValue::DefaultVisibility);
    symbol->takeName(&value);
    value.replaceAllUsesWith(symbol);
    value.eraseFromParent();
  }

  static void hide(GlobalValue &value) {
    cast<GlobalObject>(value).setComdat(nullptr);
    if (!value.hasLocalLinkage())
      value.setVisibility(GlobalValue::HiddenVisibility);
  }

  static void show(Function &function) {
    if (function.hasLocalLinkage())
      function.setLinkage(GlobalValue::ExternalLinkage);
    else if (function.hasLinkOnceODRLinkage())
      function.setLinkage(GlobalValue::WeakODRLinkage);
    else if (function.hasLinkOnceAnyLinkage())
      function.setLinkage(GlobalValue::WeakAnyLinkage);
    function.setVisibility(GlobalValue::DefaultVisibility);
  }
};

} // namespace

LarderStatus larder::keep_unit(LarderModule &self, StringRef names, StringRef present) {
  return Unit(self, present).run(names);
}
