#include "objects.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/ValueHandle.h"

using namespace llvm;
using namespace larder;

static constexpr StringLiteral OBJECT_PREFIX = "larder.object$";

// --- Names and metadata ---

std::string larder::escaped(StringRef name) {
  std::string result;
  for (const char letter : name)
    if (isAlnum(letter) || letter == '_' || letter == '.')
      result += letter;
    else
      result += ("%" + utohexstr(uint8_t(letter), /*LowerCase=*/false, /*Width=*/2));
  return result;
}

std::string larder::hexadecimal(uint64_t number, unsigned digits) {
  return utohexstr(number, /*LowerCase=*/true, digits);
}

std::string larder::object_symbol(StringRef name, std::optional<uint64_t> fingerprint) {
  return (OBJECT_PREFIX + (fingerprint ? hexadecimal(*fingerprint, 16) : "any") + "$" + escaped(name)).str();
}

bool larder::is_name(StringRef name) { return !name.empty() && !name.contains('\0'); }

std::optional<StringRef> larder::string_operand(const MDNode &node, unsigned index) {
  if (index < node.getNumOperands())
    if (const auto *string = dyn_cast_or_null<MDString>(node.getOperand(index)))
      return string->getString();
  return std::nullopt;
}

std::optional<uint64_t> larder::number_operand(const MDNode &node, unsigned index) {
  if (index < node.getNumOperands())
    if (const auto *number = mdconst::dyn_extract_or_null<ConstantInt>(node.getOperand(index));
        number && number->getBitWidth() == 64)
      return number->getZExtValue();
  return std::nullopt;
}

// --- Declarations ---

// The symbol of what `!larder.object` says; nothing if that makes no sense.
static std::optional<std::string> object_symbol(const MDNode &node) {
  const std::optional<StringRef> name = string_operand(node, 0);
  const std::optional<uint64_t> fingerprint = number_operand(node, 1);
  const unsigned count = node.getNumOperands();
  if (!name || !is_name(*name) || count > 2 || (count == 2 && !fingerprint))
    return std::nullopt;
  return larder::object_symbol(*name, fingerprint);
}

// Whether it is what `object_symbol` would write: nothing that assembly takes for something else.
static bool is_written_plainly(StringRef symbol) {
  return all_of(symbol, [](char letter) {
    return isAlnum(letter) || letter == '_' || letter == '.' || letter == '%' || letter == '$';
  });
}

// Whether a variable can stand for an object: something outside, of which a constant may know the contents.
static bool can_be_object(const GlobalVariable &variable) {
  return variable.isDeclarationForLinker() && !variable.isThreadLocal() &&
         variable.getAddressSpace() == 0 &&
         (variable.isDeclaration() || variable.isConstant());
}

static void name_object(GlobalVariable &variable) {
  SmallVector<MDNode *, 1> nodes;
  variable.getMetadata(OBJECT, nodes);
  if (nodes.size() != 1 || !can_be_object(variable))
    return;
  const std::optional<std::string> symbol = object_symbol(*nodes[0]);
  if (!symbol)
    return;
  GlobalValue *named = variable.getParent()->getNamedValue(*symbol);
  auto *same = dyn_cast_or_null<GlobalVariable>(named);
  if (named && named != &variable && (!same || !can_be_object(*same)))
    return;
  variable.eraseMetadata(variable.getContext().getMDKindID(OBJECT));
  if (!same || same == &variable) {
    variable.setName(*symbol);
    return;
  }
  // Two names in the module for one object. One that knows the contents knows more.
  GlobalVariable &kept = same->hasInitializer() ? *same : variable;
  GlobalVariable &other = &kept == same ? variable : *same;
  other.replaceAllUsesWith(&kept);
  other.eraseFromParent();
  kept.setName(*symbol);
}

void larder::name_objects(Module &module) {
  SmallVector<WeakVH> variables;
  for (GlobalVariable &variable : module.globals()) {
    // As C names symbols: `asm("larder.object$any$name")`.
    if (StringRef name = variable.getName(); name.consume_front("\01") && name.starts_with(OBJECT_PREFIX))
      variable.setName(name.str());
    if (variable.hasMetadata(OBJECT))
      variables.emplace_back(&variable);
  }
  // Two may turn out to be one.
  for (const WeakVH &variable : variables)
    if (variable)
      name_object(cast<GlobalVariable>(*variable));
}

std::string larder::wrong_object(const Module &module) {
  for (const GlobalObject &object : module.global_objects()) {
    const bool claims = object.hasMetadata(OBJECT);
    if (!claims && !is_object(object))
      continue;
    const auto *variable = dyn_cast<GlobalVariable>(&object);
    const std::string what = ("object " + object.getName()).str();
    if (!variable)
      return what + ": !larder.object stands on declarations of variables; a function of the host is a plain import";
    if (variable->isThreadLocal())
      return what + " is thread-local: a heap object has one address";
    if (!can_be_object(*variable))
      return what + " is a definition: an object is the host's; declare it `external global`, or, to let "
                    "code count on its contents, `available_externally constant`";
    if (claims || !is_written_plainly(variable->getName()))
      return what + ": !larder.object must be !{!\"name\"} or !{!\"name\", i64 fingerprint}, once";
    if (variable->hasInitializer() && variable->getName().starts_with((OBJECT_PREFIX + "any$").str()))
      return what + " has contents and no fingerprint to say when they are right";
  }
  return {};
}

bool larder::is_object(const GlobalValue &value) { return value.getName().starts_with(OBJECT_PREFIX); }

GlobalVariable *larder::declare_object(Module &module, StringRef name) {
  const std::string symbol = object_symbol(name, std::nullopt);
  if (GlobalVariable *variable = module.getNamedGlobal(symbol))
    return variable;
  return new GlobalVariable(module, Type::getInt8Ty(module.getContext()), /*isConstant=*/false,
                            GlobalValue::ExternalLinkage, nullptr, symbol);
}

LarderStatus larder::loosen_objects(LarderModule &self, StringRef names) {
  Module &module = *self.module;
  StringSet<> wanted;
  each_name(names, [&](StringRef name) { wanted.insert(escaped(name)); });
  for (GlobalVariable &variable : make_early_inc_range(module.globals())) {
    if (!is_object(variable))
      continue;
    const StringRef name = variable.getName().rsplit('$').second;
    if (!wanted.contains(name))
      continue;
    const std::string loose = (OBJECT_PREFIX + "any$" + name).str();
    // Where the module says nothing of its contents, the IR itself was made for that state of it, and would become the same code again.
    if (variable.getName() != loose && !variable.hasInitializer()) {
      report(self.sink, larder::ERROR,
             "object " + name.str() + " has no contents in the module that could be left out: "
             "this needs IR that is made for what the object is now");
      return LARDER_UNSUPPORTED;
    }
    variable.setInitializer(nullptr);
    variable.setLinkage(GlobalValue::ExternalLinkage);
    // What is no longer known may change.
    variable.setConstant(false);
    if (GlobalVariable *same = module.getNamedGlobal(loose); same && same != &variable) {
      variable.replaceAllUsesWith(same);
      variable.eraseFromParent();
    } else
      variable.setName(loose);
  }
  return LARDER_OK;
}
