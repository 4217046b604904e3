// Machine code: a module, or one part of it, to an object in memory.

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

// What both kinds of part have in common, once they are modules.
static LarderStatus finish_and_generate(Module &module,
                                        const LarderSettings &settings,
                                        const LarderSink &sink, void *context,
                                        LarderReceive receive) {
  std::unique_ptr<TargetMachine> machine = new_machine(module, settings);
  if (LarderStatus status = finish_optimising(module, *machine, settings);
      status != LARDER_OK)
    return status;
  return generate(module, *machine, sink, context, receive);
}

static LarderStatus failed(const LarderSink &sink, Error error) {
  report(sink, larder::ERROR, toString(std::move(error)));
  return LARDER_FAILED;
}

LarderStatus larder_generate_part(LarderBytes bitcode,
                                  const LarderSettings *settings,
                                  LarderSink sink, void *context,
                                  LarderReceive receive) {
  std::unique_ptr<LLVMContext> own = new_context(sink);
  Expected<std::unique_ptr<Module>> module =
      parseBitcodeFile(MemoryBufferRef(text(bitcode), ""), *own);
  if (!module)
    return failed(sink, module.takeError());
  return finish_and_generate(**module, *settings, sink, context, receive);
}

LarderStatus larder_generate_partition(const LarderPartitions *partitions,
                                       uint32_t index,
                                       const LarderSettings *settings,
                                       LarderSink sink, void *context,
                                       LarderReceive receive) {
  std::unique_ptr<LLVMContext> own = new_context(sink);
  MemoryBufferRef bitcode(
      {partitions->bitcode.data(), partitions->bitcode.size()}, "");
  Expected<std::unique_ptr<Module>> module =
      getLazyBitcodeModule(bitcode, *own, /*ShouldLazyLoadMetadata=*/true);
  if (!module)
    return failed(sink, module.takeError());
  if (Error error = keep_partition(**module, *partitions, index))
    return failed(sink, std::move(error));
  return finish_and_generate(**module, *settings, sink, context, receive);
}
