// What is set up once per process: the target, and the end of the process when LLVM gives up.

#include "larder_llvm.h"
#include "module.h"

#include "llvm/Config/llvm-config.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/TargetSelect.h"

#include <new>

namespace {

void (*fatal)(bool, LarderBytes);

void on_fatal_error(void *, const char *reason, bool) {
  fatal(false, larder::bytes(reason));
}

void on_bad_alloc(void *, const char *reason, bool) {
  fatal(true, larder::bytes(reason));
}

// `operator new` of the C++ library asks here; LLVM is built without exceptions, so the answer can't be one.
void on_new_failed() { fatal(true, larder::bytes("operator new")); }

} // namespace

void larder_start(void (*handler)(bool, LarderBytes)) {
  fatal = handler;
  llvm::install_fatal_error_handler(on_fatal_error);
  llvm::install_bad_alloc_error_handler(on_bad_alloc);
  std::set_new_handler(on_new_failed);
}

void larder_register() {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  LLVMInitializeX86AsmParser();
}

LarderBytes larder_llvm_version() {
  return larder::bytes(LLVM_VERSION_STRING);
}

const void *larder_llvm_address() {
  return reinterpret_cast<const void *>(&llvm::install_fatal_error_handler);
}
