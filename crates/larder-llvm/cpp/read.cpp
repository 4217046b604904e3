// Bytes to a module, and whether it is a valid one.

#include "guards.h"
#include "module.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IR/DebugInfo.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"
#include "llvm/TargetParser/Triple.h"

using namespace llvm;
using namespace larder;

namespace {

bool is_bitcode(StringRef input) {
  const auto *data = reinterpret_cast<const unsigned char *>(input.data());
  return input.size() >= 4 && isBitcode(data, data + input.size());
}

// The module's name is for people. LLVM would also write it into the object, as the source file's if the module names none, so
// the readers don't learn it.
constexpr StringLiteral NO_NAME = "";

void report_at(const LarderSink &sink, StringRef message, StringRef name,
               uint32_t line = 0, uint32_t column = 0) {
  sink.diagnostic(sink.context, ERROR, bytes(message), bytes(name), line, column);
}

std::unique_ptr<Module> read_bitcode(StringRef input, StringRef name,
                                     LLVMContext &context,
                                     const LarderSink &sink) {
  Expected<std::unique_ptr<Module>> module =
      parseBitcodeFile(MemoryBufferRef(input, NO_NAME), context);
  if (module)
    return std::move(*module);
  report_at(sink, toString(module.takeError()), name);
  return nullptr;
}

std::unique_ptr<Module> read_text(StringRef input, StringRef name,
                                  LLVMContext &context,
                                  const LarderSink &sink) {
  if (input.empty() || input.contains('\0')) {
    report_at(sink, input.empty() ? "the file is empty" : "neither bitcode nor text", name);
    return nullptr;
  }
  // LLVM's lexer reads up to a NUL behind the text, which only a buffer of its own is sure to have.
  std::unique_ptr<MemoryBuffer> buffer =
      MemoryBuffer::getMemBufferCopy(input, NO_NAME);
  SMDiagnostic diagnostic;
  // Text refers to values by their names.
  context.setDiscardValueNames(false);
  // The parser verifies before it upgrades debug information, and ends the process if the module is broken; the worker knows.
  std::unique_ptr<Module> module =
      parseAssembly(buffer->getMemBufferRef(), diagnostic, context);
  if (!module)
    report_at(sink, diagnostic.getMessage(), name, diagnostic.getLineNo(),
              diagnostic.getColumnNo() + 1);
  return module;
}

} // namespace

std::unique_ptr<Module> larder::read(LarderBytes input, LarderBytes name,
                                     LLVMContext &context,
                                     const LarderSink &sink) {
  std::unique_ptr<Module> module =
      is_bitcode(text(input))
          ? read_bitcode(text(input), text(name), context, sink)
          : read_text(text(input), text(name), context, sink);
  // "x86_64-linux-gnu", as people and Debian write it, has the system in the place of the vendor.
  if (module)
    if (Triple triple(Triple::normalize(module->getTargetTriple().str())); is_supported(triple))
      module->setTargetTriple(std::move(triple));
  return module;
}

LarderStatus larder::verify(Module &module, const LarderSink &sink) {
  std::string errors;
  raw_string_ostream stream(errors);
  bool broken_debug_info = false;
  if (verifyModule(module, &stream, &broken_debug_info)) {
    report(sink, larder::ERROR, StringRef(errors).rtrim());
    return LARDER_MALFORMED;
  }
  if (broken_debug_info) {
    report(sink, larder::WARNING, "ignoring invalid debug information");
    StripDebugInfo(module);
  }
  return LARDER_OK;
}

LarderModule *larder_read(LarderBytes input, LarderBytes name, uint32_t repetition,
                          const LarderSettings *settings, LarderSink sink) {
  auto result = std::make_unique<LarderModule>();
  result->sink = sink;
  result->settings = *settings;
  result->digest = xxh3_64bits(text(input)) + repetition;
  result->context = new_context(sink);
  result->module = larder::read(input, name, *result->context, sink);
  if (!result->module)
    return nullptr;
  name_guarded(*result->module);
  return result.release();
}

LarderStatus larder_verify(LarderModule *module) {
  return larder::verify(*module->module, module->sink);
}

void larder_module_free(LarderModule *module) { delete module; }
