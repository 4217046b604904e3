// Makes a module fit for an image: one target, position-independent whatever its flags say, externals through import slots.
//
// A JIT's module was often made for the address space it runs in: static relocations, no dynamic linker, `dso_local` on all.
// An image is mapped anywhere, shares its code pages and is bound late, so what the module says about its place is replaced:
//   - Flags: `PIC Level` 2, no `PIE Level`, libcalls through the GOT.
//   - `dso_local` exactly on what the image itself defines and nobody else can replace.
//   - Calls of externals are `call *f@GOTPCREL(%rip)`: the linker makes them direct where `f` turns out to be inside.
//   - Thread-local variables may live in a block that is allocated late, so no model that counts on a static one, unless that was
//     asked for.
//   - Variables too large for 32-bit distances are reached by 64-bit ones, whatever the code model.
//   - CPU features of the request stand on every function that names none, so that they survive splitting and inlining.

#include "guards.h"
#include "objects.h"
#include "module.h"
#include "pointers.h"
#include "unit.h"

#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/IR/AutoUpgrade.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Function.h"
#include "llvm/IR/GlobalAlias.h"
#include "llvm/IR/GlobalIFunc.h"
#include "llvm/IR/GlobalVariable.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Target/TargetOptions.h"
#include "llvm/TargetParser/Triple.h"

using namespace llvm;
using namespace larder;

namespace {

// What a module that names no target means. Not the host's own name: the same input has to give the same bytes everywhere.
constexpr StringLiteral DEFAULT_TRIPLE = "x86_64-unknown-linux-gnu";
constexpr StringLiteral CPU = "x86-64";
constexpr StringLiteral TUNE_CPU = "generic";

LarderStatus set_target(LarderModule &self) {
  Module &module = *self.module;
  if (module.getTargetTriple().empty())
    module.setTargetTriple(Triple(DEFAULT_TRIPLE));
  const Triple &triple = module.getTargetTriple();
  if (!is_supported(triple)) {
    report(self.sink, ERROR,
           "the module is for " + triple.str() +
               "; this worker generates code for x86-64 Linux");
    return LARDER_UNSUPPORTED;
  }
  self.machine = new_machine(module, self.settings);
  return LARDER_OK;
}

LarderStatus set_data_layout(LarderModule &self) {
  Module &module = *self.module;
  const DataLayout expected = self.machine->createDataLayout();
  std::string found = UpgradeDataLayoutString(module.getDataLayoutStr(),
                                              module.getTargetTriple().str());
  if (!module.getDataLayoutStr().empty() &&
      found != expected.getStringRepresentation()) {
    report(self.sink, ERROR,
           "the module's data layout \"" + module.getDataLayoutStr() +
               "\" isn't that of " + module.getTargetTriple().str() + ", \"" +
               expected.getStringRepresentation() + "\"");
    return LARDER_UNSUPPORTED;
  }
  module.setDataLayout(expected);
  return LARDER_OK;
}

void remove_flag(Module &module, StringRef name) {
  NamedMDNode *flags = module.getModuleFlagsMetadata();
  if (!flags)
    return;
  SmallVector<MDNode *> kept;
  for (MDNode *flag : flags->operands())
    if (cast<MDString>(flag->getOperand(1))->getString() != name)
      kept.push_back(flag);
  flags->clearOperands();
  for (MDNode *flag : kept)
    flags->addOperand(flag);
}

void set_flags(Module &module) {
  remove_flag(module, "PIE Level");
  module.setModuleFlag(Module::Min, "PIC Level",
                       uint32_t(PICLevel::BigPIC));
  module.setModuleFlag(Module::Max, "RtLibUseGOT", uint32_t(1));
  module.setModuleFlag(Module::Max, "direct-access-external-data", uint32_t(0));
}

// As much as code can reach by 32-bit distances, with room for the code itself.
constexpr uint64_t NEAR_SIZE = uint64_t(1) << 30;
// Variables from this size on are few and far from the code; where all together don't fit, from the medium code model's threshold on.
constexpr uint64_t FAR_VARIABLE_SIZE = uint64_t(64) << 20;
constexpr uint64_t MEDIUM_VARIABLE_SIZE = 65536;

uint64_t size_of(const GlobalVariable &variable) {
  return variable.getParent()->getDataLayout().getTypeAllocSize(
      variable.getValueType());
}

bool may_be_far(const GlobalVariable &variable) {
  return !variable.isDeclarationForLinker() && !variable.isThreadLocal() &&
         !variable.hasSection() && !variable.getCodeModel() &&
         variable.getValueType()->isSized();
}

void set_code_models(Module &module) {
  uint64_t total = 0;
  for (const GlobalVariable &variable : module.globals())
    if (may_be_far(variable))
      total = SaturatingAdd(total, size_of(variable));
  const uint64_t limit =
      total > NEAR_SIZE ? MEDIUM_VARIABLE_SIZE : FAR_VARIABLE_SIZE;
  for (GlobalVariable &variable : module.globals())
    if (may_be_far(variable) && size_of(variable) >= limit)
      variable.setCodeModel(CodeModel::Large);
}

// What ELF, or an image, has no way to say. The code generator would end the process.
LarderStatus check_expressible(LarderModule &self) {
  Module &module = *self.module;
  for (const auto &entry : module.getComdatSymbolTable()) {
    const Comdat &comdat = entry.getValue();
    const Comdat::SelectionKind kind = comdat.getSelectionKind();
    if (kind == Comdat::Any || kind == Comdat::NoDeduplicate ||
        comdat.getUsers().empty())
      continue;
    report(self.sink, ERROR,
           "comdat " + comdat.getName().str() +
               ": ELF keeps any one of several (any) or all (nodeduplicate), "
               "and knows no other selection");
    return LARDER_UNSUPPORTED;
  }
  for (const Function &function : module)
    if (!function.isDeclaration() && function.hasFnAttribute("split-stack")) {
      report(self.sink, ERROR,
             "function " + function.getName().str() +
                 ": split stacks need a runtime that grows them: compile "
                 "without -fsplit-stack");
      return LARDER_UNSUPPORTED;
    }
  return LARDER_OK;
}

// Whether the module's own thread-local variables fit the place that is fixed. What others define has another place.
bool has_static_block(const Module &module, const LarderSettings &settings) {
  const DataLayout &layout = module.getDataLayout();
  uint64_t len = 0;
  for (const GlobalVariable &variable : module.globals()) {
    if (!variable.isThreadLocal() || variable.isDeclarationForLinker())
      continue;
    uint64_t align = layout.getPreferredAlign(&variable).value();
    if (align > settings.static_tls_align)
      return false;
    len = alignTo(len, align) + layout.getTypeAllocSize(variable.getValueType());
    if (len > settings.static_tls_len)
      return false;
  }
  return true;
}

void set_thread_local_models(Module &module, const LarderSettings &settings) {
  bool fixed = has_static_block(module, settings);
  for (GlobalVariable &variable : module.globals()) {
    if (!variable.isThreadLocal())
      continue;
    // For a general dynamic variable the code generator still picks a cheaper model if it knows it to be local; none of those
    // needs a static block.
    variable.setThreadLocalMode(fixed && !variable.isDeclarationForLinker()
                                    ? GlobalValue::LocalExecTLSModel
                                    : GlobalValue::GeneralDynamicTLSModel);
  }
}

// A name that nobody can say can't be an export; two parts of one module would both call theirs `__unnamed_1`.
void hide_unnamed(GlobalValue &value) {
  if (!value.hasName() && !value.isDeclaration() && !value.hasLocalLinkage()) {
    value.setVisibility(GlobalValue::DefaultVisibility);
    value.setLinkage(GlobalValue::InternalLinkage);
  }
}

void set_locality(GlobalValue &value) {
  if (value.isImplicitDSOLocal())
    return;
  value.setDSOLocal(!value.isDeclarationForLinker() &&
                    !isa<GlobalIFunc>(value) &&
                    !GlobalValue::isInterposableLinkage(value.getLinkage()));
}

// Whether the function gets the request's.
bool set_features(Function &function, const LarderSettings &settings) {
  bool has_cpu = function.hasFnAttribute("target-cpu");
  bool has_features = function.hasFnAttribute("target-features");
  if (!has_cpu) {
    function.addFnAttr("target-cpu", CPU);
    if (!function.hasFnAttribute("tune-cpu"))
      function.addFnAttr("tune-cpu", TUNE_CPU);
  }
  // A function that names its CPU has made its choice: the request's features would be added to it otherwise.
  if (!has_features)
    function.addFnAttr("target-features",
                       has_cpu ? "" : text(settings.features));
  return !has_cpu && !has_features;
}

} // namespace

bool larder::is_supported(const Triple &triple) {
  return triple.getArch() == Triple::x86_64 && triple.isOSLinux() &&
         triple.isOSBinFormatELF() && !triple.isX32();
}

std::unique_ptr<TargetMachine>
larder::new_machine(const Module &module, const LarderSettings &settings) {
  std::string error;
  const Triple &triple = module.getTargetTriple();
  const Target *target = TargetRegistry::lookupTarget(triple, error);
  TargetOptions options;
  options.FunctionSections = true;
  options.DataSections = true;
  options.UniqueSectionNames = true;
  options.UseInitArray = true;
  // As llc: sizes are a matter of function attributes, not of the code generator's level.
  static constexpr CodeGenOptLevel LEVELS[] = {
      CodeGenOptLevel::None,       CodeGenOptLevel::Less,
      CodeGenOptLevel::Default,    CodeGenOptLevel::Aggressive,
      CodeGenOptLevel::Default,    CodeGenOptLevel::Default};
  return std::unique_ptr<TargetMachine>(target->createTargetMachine(
      triple, CPU, text(settings.features), options, Reloc::PIC_,
      module.getCodeModel(), LEVELS[settings.level]));
}

void larder::bind_externals(Module &module) {
  for (Function &function : module)
    if (function.isDeclarationForLinker() && !function.isIntrinsic() &&
        !function.isDSOLocal())
      function.addFnAttr(Attribute::NonLazyBind);
}

LarderStatus larder_prepare(LarderModule *self, const LarderWanted *wanted) {
  if (LarderStatus status = set_target(*self); status != LARDER_OK)
    return status;
  if (LarderStatus status = set_data_layout(*self); status != LARDER_OK)
    return status;
  if (LarderStatus status = check_expressible(*self); status != LARDER_OK)
    return status;
  Module &module = *self->module;
  if (LarderStatus status = rescue_pointers(*self, *wanted); status != LARDER_OK)
    return status;
  if (LarderStatus status = loosen_objects(*self, text(wanted->loosened)); status != LARDER_OK)
    return status;
  for (GlobalValue &value : module.global_values())
    hide_unnamed(value);
  self->identity = identity_of(module);
  if (LarderStatus status = prepare_guards(*self); status != LARDER_OK)
    return status;
  if (wanted->is_unit)
    if (LarderStatus status = keep_unit(*self, text(wanted->names), text(wanted->present));
        status != LARDER_OK)
      return status;
  set_flags(module);
  set_code_models(module);
  set_thread_local_models(module, self->settings);
  for (GlobalValue &value : module.global_values())
    set_locality(value);
  bool any_as_requested = !module.getModuleInlineAsm().empty();
  for (Function &function : module)
    if (!function.isDeclaration())
      any_as_requested |= set_features(function, self->settings);
  self->ahead_features.any_as_requested = any_as_requested;
  bind_externals(module);
  return LARDER_OK;
}
