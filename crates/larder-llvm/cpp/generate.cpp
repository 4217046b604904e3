// Machine code: a module, or one part of it, to an object in memory.

#include "guards.h"
#include "module.h"

#include "llvm/Analysis/RuntimeLibcallInfo.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace larder;

namespace {

// The code generator still runs on the legacy pass manager, as in llc.
LarderStatus generate(Module &module, TargetMachine &machine,
                      const LarderSink &sink, void *context,
                      LarderReceive receive) {
  finish_guards(module);
  bind_externals(module);
  SmallVector<char, 0> object;
  raw_svector_ostream stream(object);
  legacy::PassManager passes;
  const TargetOptions &options = machine.Options;
  passes.add(new TargetLibraryInfoWrapperPass(
      TargetLibraryInfoImpl(module.getTargetTriple())));
  passes.add(new RuntimeLibraryInfoWrapper(
      module.getTargetTriple(), options.ExceptionModel, options.FloatABIType,
      options.EABIVersion, options.MCOptions.ABIName, options.VecLib));
  if (machine.addPassesToEmitFile(passes, stream, nullptr,
                                  CodeGenFileType::ObjectFile)) {
    report(sink, larder::ERROR, "the target can't write objects");
    return LARDER_FAILED;
  }
  passes.run(module);
  if (has_errors(module.getContext()))
    return LARDER_MALFORMED;
  receive(context, bytes({object.data(), object.size()}));
  return LARDER_OK;
}

} // namespace

LarderStatus larder_generate(LarderModule *self, void *context,
                             LarderReceive receive) {
  return generate(*self->module, *self->machine, self->sink, context, receive);
}

LarderStatus larder_generate_part(LarderBytes bitcode, bool is_group,
                                  const LarderSettings *settings,
                                  LarderSink sink, void *context,
                                  LarderReceive receive) {
  std::unique_ptr<LLVMContext> own = new_context(sink);
  Expected<std::unique_ptr<Module>> module =
      parseBitcodeFile(MemoryBufferRef(text(bitcode), ""), *own);
  if (!module)
    return failed(sink, module.takeError());
  std::unique_ptr<TargetMachine> machine = new_machine(**module, *settings);
  LarderStatus status = is_group
                            ? optimise_group(**module, *machine, *settings)
                            : finish_optimising(**module, *machine, *settings);
  if (status != LARDER_OK)
    return status;
  return generate(**module, *machine, sink, context, receive);
}
