// Several modules: what linkers see of each, and all of them as one.
//
// LLVM's linker resolves as native ones do: strong before common before weak, one COMDAT group of each kind, the first of equals.
// What it takes too lightly is said here: modules for different machines are an error, not a warning.

#include "guards.h"
#include "objects.h"
#include "module.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/GlobalValue.h"
#include "llvm/LTO/LTO.h"
#include "llvm/Linker/Linker.h"
#include "llvm/Object/ModuleSymbolTable.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/TargetParser/Triple.h"
#include "llvm/Transforms/IPO/Internalize.h"

using namespace llvm;
using namespace larder;
using object::BasicSymbolRef;

namespace {

uint32_t kind_of(uint32_t flags) {
  const bool weak = flags & BasicSymbolRef::SF_Weak;
  if (flags & BasicSymbolRef::SF_Undefined)
    return weak ? 0 : 1;
  if (flags & BasicSymbolRef::SF_Common)
    return 2;
  return weak ? 3 : 4;
}

// What both say must be the same; a module that says nothing is for any machine.
LarderStatus check_target(const LarderModule &self, const Module &other,
                          StringRef name) {
  const Module &module = *self.module;
  const auto differ = [&](const Twine &what, StringRef ours, StringRef theirs) {
    report(self.sink, larder::ERROR,
           (name + " is for " + what + " \"" + theirs +
            "\", the modules before it are for \"" + ours + "\"")
               .str());
    return LARDER_UNSUPPORTED;
  };
  const Triple &ours = module.getTargetTriple();
  const Triple &theirs = other.getTargetTriple();
  if (!ours.empty() && !theirs.empty() && !ours.isCompatibleWith(theirs))
    return differ("the target", ours.str(), theirs.str());
  if (!module.getDataLayoutStr().empty() && !other.getDataLayoutStr().empty() &&
      module.getDataLayout() != other.getDataLayout())
    return differ("the data layout", module.getDataLayoutStr(),
                  other.getDataLayoutStr());
  return LARDER_OK;
}

// What the code generator calls by itself, and what inline assembly uses: neither shows in the IR.
StringSet<> hidden_uses(const Module &module) {
  StringSet<> names;
  const Triple &triple = module.getTargetTriple();
  for (StringRef name : lto::LTO::getRuntimeLibcallSymbols(
           triple.empty() ? Triple("x86_64-unknown-linux-gnu") : triple))
    names.insert(name);
  ModuleSymbolTable::CollectAsmSymbols(
      module, [&](StringRef name, BasicSymbolRef::Flags) { names.insert(name); });
  return names;
}

} // namespace

void larder_symbols(const LarderModule *self, void *context,
                    void (*receive)(void *, uint32_t, LarderBytes)) {
  ModuleSymbolTable table;
  table.addModule(self->module.get());
  for (ModuleSymbolTable::Symbol symbol : table.symbols()) {
    // An object is nobody's but the host's.
    if (const auto *value = dyn_cast<GlobalValue *>(symbol); value && is_object(*value))
      continue;
    const uint32_t flags = table.getSymbolFlags(symbol);
    if (!(flags & (BasicSymbolRef::SF_Global | BasicSymbolRef::SF_Undefined)) ||
        flags & BasicSymbolRef::SF_FormatSpecific)
      continue;
    std::string name;
    raw_string_ostream stream(name);
    table.printSymbolName(stream, symbol);
    receive(context, kind_of(flags), bytes(name));
  }
}

LarderStatus larder_link(LarderModule *self, LarderBytes input,
                         LarderBytes name) {
  std::unique_ptr<Module> other = read(input, name, *self->context, self->sink);
  if (!other)
    return LARDER_MALFORMED;
  name_guarded(*other);
  if (LarderStatus status = verify(*other, self->sink); status != LARDER_OK)
    return status;
  if (LarderStatus status = check_target(*self, *other, text(name));
      status != LARDER_OK)
    return status;
  if (self->module->getDataLayoutStr().empty())
    self->module->setDataLayout(other->getDataLayout());
  else
    other->setDataLayout(self->module->getDataLayout());
  if (self->module->getTargetTriple().empty())
    self->module->setTargetTriple(other->getTargetTriple());
  // The linker diagnoses: two strong definitions, flags that contradict each other.
  if (Linker::linkModules(*self->module, std::move(other)) ||
      has_errors(*self->context))
    return LARDER_MALFORMED;
  return LARDER_OK;
}

void larder_give_way(LarderModule *self, LarderBytes names) {
  each_name(text(names), [&](StringRef name) {
    GlobalValue *value = self->module->getNamedValue(name);
    if (auto *function = dyn_cast_or_null<Function>(value)) {
      function->deleteBody();
      function->setComdat(nullptr);
    } else if (auto *variable = dyn_cast_or_null<GlobalVariable>(value)) {
      variable->setInitializer(nullptr);
      variable->setLinkage(GlobalValue::ExternalLinkage);
      variable->setComdat(nullptr);
    }
  });
}

void larder_internalise(LarderModule *self, LarderBytes keep) {
  Module &module = *self->module;
  StringSet<> names = hidden_uses(module);
  each_name(text(keep), [&](StringRef name) { names.insert(name); });
  internalizeModule(module, [&](const GlobalValue &value) {
    return names.contains(value.getName());
  });
}

void larder_write(const LarderModule *self, void *context,
                  LarderReceive receive) {
  SmallVector<char, 0> bitcode;
  raw_svector_ostream stream(bitcode);
  WriteBitcodeToFile(*self->module, stream);
  receive(context, bytes({bitcode.data(), bitcode.size()}));
}
