// The best that ORC offers for finished code: `lljit_host OBJECT [ARGS…]` links the object by JITLink and runs its `main`.
//
// No IR is read and nothing is compiled. At the end the process exits at once, without taking the JIT down: that would
// only add to this side's time.

#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include <cstdlib>
#include <memory>

using namespace llvm;
using namespace llvm::orc;

int main(int argc, char **argv) {
  ExitOnError check("lljit_host: ");
  check.setExitCodeMapper([](const Error &) { return 125; });
  if (argc < 2)
    return 125;
  InitializeNativeTarget();
  std::unique_ptr<LLJIT> jit = check(LLJITBuilder().create());
  check(jit->addObjectFile(check(errorOrToExpected(MemoryBuffer::getFile(argv[1])))));
  auto *entry = check(jit->lookup("main")).toPtr<int (*)(int, char **)>();
  std::exit(entry(argc - 1, argv + 1));
}
