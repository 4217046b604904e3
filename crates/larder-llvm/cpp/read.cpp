// Bytes to a module, and whether it is a valid one.

#include "module.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IR/DebugInfo.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"

using namespace llvm;
using namespace larder;

namespace {

bool is_bitcode(StringRef input) {
  const auto *data = reinterpret_cast<const unsigned char *>(input.data());
  return input.size() >= 4 && isBitcode(data, data + input.size());
}

std::unique_ptr<Module> read_bitcode(MemoryBufferRef buffer,
                                     LLVMContext &context,
                                     const LarderSink &sink) {
  Expected<std::unique_ptr<Module>> module = parseBitcodeFile(buffer, context);
  if (module)
    return std::move(*module);
  std::string message = toString(module.takeError());
  sink.diagnostic(sink.context, ERROR, bytes(message),
                  bytes(buffer.getBufferIdentifier()), 0, 0);
  return nullptr;
}

std::unique_ptr<Module> read_text(MemoryBufferRef input, LLVMContext &context,
                                  const LarderSink &sink) {
  // LLVM's lexer reads up to a NUL behind the text, which only a buffer of its own is sure to have.
  std::unique_ptr<MemoryBuffer> buffer = MemoryBuffer::getMemBufferCopy(
      input.getBuffer(), input.getBufferIdentifier());
  SMDiagnostic diagnostic;
  // The parser verifies before it upgrades debug information, and ends the process if the module is broken; the worker knows.
  std::unique_ptr<Module> module =
      parseAssembly(buffer->getMemBufferRef(), diagnostic, context);
  if (!module)
    report(sink, diagnostic);
  return module;
}

// One line of the verifier's text per diagnostic would tear messages from the values they are about.
void report_broken(const LarderSink &sink, StringRef errors) {
  report(sink, ERROR, errors.rtrim());
}

} // namespace

LarderModule *larder_read(LarderBytes input, LarderBytes name,
                          const LarderSettings *settings, LarderSink sink) {
  auto result = std::make_unique<LarderModule>();
  result->sink = sink;
  result->settings = *settings;
  result->digest = xxh3_64bits(text(input));
  result->context = new_context(sink);
  MemoryBufferRef buffer(text(input), text(name));
  if (text(input).empty()) {
    report(sink, ERROR, (text(name) + ": the file is empty").str());
    return nullptr;
  }
  result->module = is_bitcode(text(input))
                       ? read_bitcode(buffer, *result->context, sink)
                       : read_text(buffer, *result->context, sink);
  return result->module ? result.release() : nullptr;
}

LarderStatus larder_verify(LarderModule *module) {
  std::string errors;
  raw_string_ostream stream(errors);
  bool broken_debug_info = false;
  if (verifyModule(*module->module, &stream, &broken_debug_info)) {
    report_broken(module->sink, errors);
    return LARDER_MALFORMED;
  }
  if (broken_debug_info) {
    report(module->sink, WARNING, "ignoring invalid debug information");
    StripDebugInfo(*module->module);
  }
  return LARDER_OK;
}

void larder_module_free(LarderModule *module) { delete module; }
