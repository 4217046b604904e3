// Which CPU features the code of a module needs.
//
// A function's attributes name a CPU and features; what they mean together only the code generator knows (`x86-64-v3` has
// `avx2`, `avx2` has `avx`). So each function's subtarget is asked. Its feature bits also hold tuning and modes ("fast-hops",
// "64bit-mode"), which say nothing about the machine that is needed; LLVM's list of features a program can ask the CPU about
// tells the two apart. What was requested counts where code was made for it: front ends name a CPU in each function.

#include "module.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/CodeGen/TargetSubtargetInfo.h"
#include "llvm/IR/Function.h"
#include "llvm/MC/MCSubtargetInfo.h"

using namespace llvm;
using namespace larder;

namespace {

struct KnownFeature {
  StringLiteral name;
};

constexpr KnownFeature KNOWN[] = {
#define X86_FEATURE(ENUM, STRING) {STRING},
#include "llvm/TargetParser/X86TargetParser.def"
};

// In that list, but not about the machine: what the code generator adds, and how AVX-512 was once divided.
bool is_tuning(StringRef name) {
  return name == "vzeroupper" || name == "evex512" ||
         name.starts_with("retpoline") || name.starts_with("lvi-");
}

// What code has only where its source asks for it, as a rule behind a question of its own: the code generator never uses it by
// itself. Names of processors (`-march=sapphirerapids`) imply it, and hypervisors withhold it.
bool is_explicit(StringRef name) {
  return name == "pku" || name == "sgx" || name == "shstk" || name == "kl" ||
         name == "widekl";
}

FeatureBitset instruction_set(const MCSubtargetInfo &subtarget) {
  StringMap<char> known;
  for (const KnownFeature &feature : KNOWN)
    if (!is_tuning(feature.name) && !is_explicit(feature.name))
      known.insert({feature.name, 0});
  FeatureBitset bits;
  for (const SubtargetFeatureKV &feature : subtarget.getAllProcessorFeatures())
    if (known.contains(feature.Key))
      bits.set(feature.Value);
  return bits;
}

void send(const MCSubtargetInfo &subtarget, const FeatureBitset &bits,
          uint32_t kind, void *context,
          void (*receive)(void *, uint32_t, LarderBytes)) {
  for (const SubtargetFeatureKV &feature : subtarget.getAllProcessorFeatures())
    if (bits.test(feature.Value))
      receive(context, kind, bytes(feature.Key));
}

} // namespace

void larder::Features::add(const Function &function,
                           const TargetMachine &machine) {
  // The machine remembers subtargets by their attributes, so equal functions are cheap.
  const FeatureBitset &bits =
      machine.getSubtargetImpl(function)->getFeatureBits();
  some |= bits;
  every &= bits;
  // Only what came into being later names no CPU: see `larder_prepare`.
  any_as_requested |= !function.hasFnAttribute("target-cpu");
}

void larder_features(const LarderModule *self, void *context,
                     void (*receive)(void *, uint32_t, LarderBytes)) {
  const MCSubtargetInfo &requested = *self->machine->getMCSubtargetInfo();
  Features features = self->ahead_features;
  for (const Function &function : *self->module)
    if (!function.isDeclarationForLinker())
      features.add(function, *self->machine);
  const FeatureBitset some = features.some, every = features.every & some;
  const FeatureBitset isa = instruction_set(requested);
  send(requested, every & isa, 0, context, receive);
  send(requested, some & ~every & isa, 1, context, receive);
  if (features.any_as_requested)
    send(requested, requested.getFeatureBits() & isa, 2, context, receive);
}
