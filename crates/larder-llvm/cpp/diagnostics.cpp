// LLVM's diagnostics, on their way to the sink.

#include "module.h"

#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/DiagnosticHandler.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace larder;

namespace {

Severity severity_of(DiagnosticSeverity severity) {
  switch (severity) {
  case DS_Error:
    return ERROR;
  case DS_Warning:
    return WARNING;
  case DS_Remark:
    return REMARK;
  case DS_Note:
    return NOTE;
  }
  return ERROR;
}

Severity severity_of(SourceMgr::DiagKind kind) {
  switch (kind) {
  case SourceMgr::DK_Error:
    return ERROR;
  case SourceMgr::DK_Warning:
    return WARNING;
  case SourceMgr::DK_Remark:
    return REMARK;
  case SourceMgr::DK_Note:
    return NOTE;
  }
  return ERROR;
}

// Remarks are for people who tune passes; nobody here asked for them.
bool is_wanted(const DiagnosticInfo &info) {
  return info.getSeverity() == DS_Error || info.getSeverity() == DS_Warning;
}

struct Handler final : DiagnosticHandler {
  LarderSink sink;
  bool saw_error = false;

  explicit Handler(const LarderSink &sink) : sink(sink) {}

  bool handleDiagnostics(const DiagnosticInfo &info) override {
    saw_error |= info.getSeverity() == DS_Error;
    if (!is_wanted(info))
      return true;
    if (const auto *assembly = dyn_cast<DiagnosticInfoSrcMgr>(&info))
      report(sink, assembly->getSMDiag());
    else
      report_info(info);
    return true;
  }

  void report_info(const DiagnosticInfo &info) {
    std::string message;
    raw_string_ostream stream(message);
    DiagnosticPrinterRawOStream printer(stream);
    info.print(printer);
    StringRef file;
    unsigned line = 0, column = 0;
    // Only diagnostics with a place are asked for it; the kinds are LLVM's own list.
    if (const auto *placed = with_location(info))
      placed->getLocation(file, line, column);
    sink.diagnostic(sink.context, severity_of(info.getSeverity()),
                    bytes(message), bytes(file), line, column);
  }

  static const DiagnosticInfoWithLocationBase *
  with_location(const DiagnosticInfo &info) {
    const DiagnosticInfoWithLocationBase *placed = nullptr;
    if (const auto *unsupported = dyn_cast<DiagnosticInfoUnsupported>(&info))
      placed = unsupported;
    else if (const auto *limit = dyn_cast<DiagnosticInfoResourceLimit>(&info))
      placed = limit;
    return placed && placed->isLocationAvailable() ? placed : nullptr;
  }
};

} // namespace

void larder::report(const LarderSink &sink, Severity severity,
                    StringRef message) {
  sink.diagnostic(sink.context, severity, bytes(message), bytes(""), 0, 0);
}

void larder::report(const LarderSink &sink, const SMDiagnostic &diagnostic) {
  // LLVM counts columns from 0 and writes -1 for "nowhere".
  uint32_t line = diagnostic.getLineNo() > 0 ? diagnostic.getLineNo() : 0;
  uint32_t column = line > 0 ? diagnostic.getColumnNo() + 1 : 0;
  sink.diagnostic(sink.context, severity_of(diagnostic.getKind()),
                  bytes(diagnostic.getMessage()),
                  bytes(diagnostic.getFilename()), line, column);
}

LarderStatus larder::failed(const LarderSink &sink, Error error) {
  report(sink, ERROR, toString(std::move(error)));
  return LARDER_FAILED;
}

std::unique_ptr<LLVMContext> larder::new_context(const LarderSink &sink) {
  auto context = std::make_unique<LLVMContext>();
  // Names within functions reach no object, and take a good part of the time to read and write a module.
  context->setDiscardValueNames(true);
  context->setDiagnosticHandler(std::make_unique<Handler>(sink));
  return context;
}

bool larder::has_errors(const LLVMContext &context) {
  return static_cast<const Handler *>(context.getDiagHandlerPtr())->saw_error;
}
