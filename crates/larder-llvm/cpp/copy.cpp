// Copies of functions and variables in a module of their own, and moves there.

#include "copy.h"

#include "objects.h"

#include "llvm/IR/Constants.h"
#include "llvm/IR/Instructions.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace llvm;
using namespace larder;

// The longest constant of which parts have copies to look into, in bytes.
static constexpr uint64_t CONSTANT_LEN_MAX = 256;

static GlobalValue::LinkageTypes declaration_linkage(const GlobalValue &value) {
  return value.hasExternalWeakLinkage() ? GlobalValue::ExternalWeakLinkage
                                        : GlobalValue::ExternalLinkage;
}

// Whether all parts may know what it holds: it never changes, nothing replaces it, and it speaks of nothing else.
static bool is_known(const GlobalVariable &variable) {
  if (!variable.isConstant() || !variable.hasDefinitiveInitializer() ||
      variable.isThreadLocal() || variable.hasAvailableExternallyLinkage())
    return false;
  const Constant *initializer = variable.getInitializer();
  const uint64_t len =
      variable.getDataLayout().getTypeAllocSize(initializer->getType());
  // Another global is no constant of its own, though it may have constant operands: its initial value.
  return len <= CONSTANT_LEN_MAX && !isa<GlobalValue>(initializer) &&
         (isa<ConstantData>(initializer) || all_of(initializer->operands(), [](const Use &use) {
            return isa<ConstantData>(use);
          }));
}

// Whether all parts may know the contents of an object: they speak of nothing that only one part has.
static bool has_known_contents(const GlobalVariable &variable) {
  if (!is_object(variable) || !variable.hasInitializer())
    return false;
  bool known = true;
  each_used(variable, [&](const GlobalValue &used) { known &= !used.hasLocalLinkage(); });
  return known;
}

Value *Declarer::materialize(Value *value) {
  auto *global = dyn_cast<GlobalValue>(value);
  if (!global)
    return nullptr;
  if (auto *variable = dyn_cast<GlobalVariable>(global))
    return is_mergeable(*variable) ? copy(*variable) : declare(*variable);
  if (auto *function = dyn_cast<Function>(global))
    return declare(*function);
  if (auto *alias = dyn_cast<GlobalAlias>(global); alias && is_transparent(*alias))
    return MapValue(alias->getAliasee(), values, RF_None, nullptr, this);
  names.publish(*global);
  return new_stand_in(*global, part);
}

Function *Declarer::declare(Function &function, StringRef name) {
  Function *declaration = Function::Create(
      function.getFunctionType(), declaration_linkage(function),
      function.getAddressSpace(), name, &part);
  declaration->copyAttributesFrom(&function);
  // What these refer to belongs to the other module.
  declaration->setPersonalityFn(nullptr);
  declaration->setPrefixData(nullptr);
  declaration->setPrologueData(nullptr);
  return declaration;
}

GlobalVariable *Declarer::declare(GlobalVariable &variable) {
  names.publish(variable);
  auto *declaration = new GlobalVariable(
      part, variable.getValueType(), variable.isConstant(),
      declaration_linkage(variable), nullptr, variable.getName(), nullptr,
      variable.getThreadLocalMode(), variable.getAddressSpace());
  declaration->copyAttributesFrom(&variable);
  if (is_known(variable)) {
    declaration->setInitializer(variable.getInitializer());
    declaration->setLinkage(GlobalValue::AvailableExternallyLinkage);
  } else if (has_known_contents(variable)) {
    // Before the contents are copied, which may lead back here.
    values[&variable] = declaration;
    declaration->setInitializer(MapValue(variable.getInitializer(), values, RF_None, nullptr, this));
    declaration->setLinkage(GlobalValue::AvailableExternallyLinkage);
  }
  return declaration;
}

GlobalVariable *Declarer::copy(GlobalVariable &variable) {
  // A private name reaches no object; the front end's numbers in it change with every string that is added before.
  auto *result = new GlobalVariable(
      part, variable.getValueType(), true, variable.getLinkage(),
      variable.getInitializer(),
      variable.hasPrivateLinkage() ? "" : variable.getName());
  result->copyAttributesFrom(&variable);
  return result;
}

// Flags that speak of functions would speak of another module's.
static bool is_plain_flag(const MDNode &flag) {
  return cast<MDString>(flag.getOperand(1))->getString() != "CG Profile";
}

void larder::copy_module_properties(Module &from, Module &to) {
  to.setSourceFileName(from.getSourceFileName());
  to.setTargetTriple(from.getTargetTriple());
  to.setDataLayout(from.getDataLayout());
  if (NamedMDNode *flags = from.getModuleFlagsMetadata()) {
    NamedMDNode *copies = to.getOrInsertModuleFlagsMetadata();
    for (MDNode *flag : flags->operands())
      if (is_plain_flag(*flag))
        copies->addOperand(flag);
  }
  if (NamedMDNode *types = from.getNamedMetadata("llvm.errno.tbaa"))
    for (MDNode *type : types->operands())
      to.getOrInsertNamedMetadata("llvm.errno.tbaa")->addOperand(type);
}

void larder::copy_body(const Function &from, Function &to,
                       ValueToValueMapTy &values, Declarer &declarer) {
  for (auto [old_argument, new_argument] : zip_equal(from.args(), to.args())) {
    new_argument.setName(old_argument.getName());
    values[&old_argument] = &new_argument;
  }
  SmallVector<ReturnInst *, 8> returns;
  CloneFunctionInto(&to, &from, values, CloneFunctionChangeType::ClonedModule,
                    returns, "", nullptr, nullptr, &declarer);
}

void larder::move_body(Function &from, Function &to, ValueToValueMapTy &values,
                       Declarer &declarer) {
  to.stealArgumentListFrom(from);
  to.splice(to.end(), &from);
  if (from.hasPersonalityFn())
    to.setPersonalityFn(from.getPersonalityFn());
  if (from.hasPrefixData())
    to.setPrefixData(from.getPrefixData());
  if (from.hasPrologueData())
    to.setPrologueData(from.getPrologueData());
  to.copyMetadata(&from, 0);
  // What is local was moved along.
  RemapFunction(to, values, RF_IgnoreMissingLocals, nullptr, &declarer);
}
