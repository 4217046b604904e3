// What ORC takes for many small pieces of finished code in one process: `lljit_small OBJECT NAME COUNT` adds the object so often, each time with
// another name in the place of NAME, looks the function up, calls it, and takes everything away at the end.
//
// It prints nanoseconds of each, and how many mappings it takes, as `name number`.

#include "llvm/ExecutionEngine/Orc/AbsoluteSymbols.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

using namespace llvm;
using namespace llvm::orc;

extern "C" long host_double(long x) { return 2 * x; }

static long mapping_count() {
  std::ifstream maps("/proc/self/maps");
  return std::count(std::istreambuf_iterator<char>(maps), {}, '\n');
}

static std::string with_name(std::string object, const std::string &from, const std::string &to) {
  for (size_t at = 0; (at = object.find(from, at)) != std::string::npos; at += to.size())
    object.replace(at, to.size(), to);
  return object;
}

static double since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
}

int main(int argc, char **argv) {
  ExitOnError check("lljit_small: ");
  check.setExitCodeMapper([](const Error &) { return 125; });
  if (argc < 4)
    return 125;
  InitializeNativeTarget();
  std::unique_ptr<LLJIT> jit = check(LLJITBuilder().create());
  JITDylib &library = jit->getMainJITDylib();
  check(library.define(absoluteSymbols({{jit->mangleAndIntern("host_double"),
                                         {ExecutorAddr::fromPtr(&host_double), JITSymbolFlags::Exported}}})));
  std::ifstream file(argv[1], std::ios::binary);
  const std::string object((std::istreambuf_iterator<char>(file)), {});
  const std::string from = argv[2];
  const long count = std::atol(argv[3]);
  std::vector<ResourceTrackerSP> trackers;
  trackers.reserve(count);
  const long mappings = mapping_count();
  auto start = std::chrono::steady_clock::now();
  for (long index = 0; index < count; ++index) {
    char name[32];
    std::snprintf(name, sizeof name, "function_%06ld", index);
    trackers.push_back(library.createResourceTracker());
    check(jit->addObjectFile(trackers.back(), MemoryBuffer::getMemBufferCopy(with_name(object, from, name))));
    if (check(jit->lookup(name)).toPtr<long (*)(long)>()(4) != 13)
      return 1;
  }
  const double loading = since(start);
  const double mapped = double(mapping_count() - mappings);
  start = std::chrono::steady_clock::now();
  for (ResourceTrackerSP &tracker : trackers)
    check(tracker->remove());
  const double unloading = since(start);
  std::printf("load %f\nunload %f\nboth %f\nmappings %f\n", loading / count, unloading / count,
              (loading + unloading) / count, mapped / count);
  std::fflush(stdout);
  // Taking the JIT down would only add to this side's time.
  std::_Exit(0);
}
