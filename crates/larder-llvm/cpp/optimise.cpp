// The pass pipeline, as `opt -O2` runs it, in one piece or in two.
//
// The first half (simplification: inlining, interprocedural constants, dead arguments) needs the whole module. The second
// (vectorising, unrolling, late clean-ups) looks at one function at a time, so it runs on each partition. Both halves are
// LLVM's own functions, and one after the other they are what `default<O2>` is, so splitting costs little quality.

#include "guards.h"
#include "module.h"

#include "llvm/IR/PassInstrumentation.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Passes/StandardInstrumentations.h"
#include "llvm/Support/Error.h"
#include "llvm/Transforms/IPO/Annotation2Metadata.h"
#include "llvm/Transforms/IPO/ForceFunctionAttrs.h"
#include "llvm/Transforms/IPO/MemProfContextDisambiguation.h"
#include "llvm/Transforms/Scalar/AnnotationRemarks.h"

using namespace llvm;
using namespace larder;

namespace {

// Analyses and the builder of one run. The order of the members is the order that their references need.
struct Run {
  PassInstrumentationCallbacks callbacks;
  // Skips functions that ask for it (`optnone`), as all of clang's are without an -O: nothing else makes LLVM's passes do so.
  OptNoneInstrumentation unoptimised{/*DebugLogging=*/false};
  PassBuilder builder;
  LoopAnalysisManager loops;
  FunctionAnalysisManager functions;
  CGSCCAnalysisManager components;
  ModuleAnalysisManager modules;

  Run(TargetMachine &machine, OptimizationLevel level)
      : builder(&machine, tuning(level), std::nullopt, &callbacks) {
    unoptimised.registerCallbacks(callbacks);
  }

  // What `opt` makes of a level, apart from the pipeline itself (PassBuilder's parser of "default<O2>").
  static PipelineTuningOptions tuning(OptimizationLevel level) {
    PipelineTuningOptions options;
    const bool vectorise =
        level.getSpeedupLevel() > 1 && level != OptimizationLevel::Oz;
    options.LoopVectorization = vectorise;
    options.SLPVectorization = vectorise;
    return options;
  }

  void operator()(ModulePassManager &passes, Module &module) {
    modules.registerPass([&] { return PassInstrumentationAnalysis(&callbacks); });
    functions.registerPass([&] { return PassInstrumentationAnalysis(&callbacks); });
    builder.registerModuleAnalyses(modules);
    builder.registerCGSCCAnalyses(components);
    builder.registerFunctionAnalyses(functions);
    builder.registerLoopAnalyses(loops);
    builder.crossRegisterProxies(loops, functions, components, modules);
    passes.run(module, modules);
  }
};

} // namespace

OptimizationLevel larder::level(const LarderSettings &settings) {
  static const OptimizationLevel LEVELS[] = {
      OptimizationLevel::O0, OptimizationLevel::O1, OptimizationLevel::O2,
      OptimizationLevel::O3, OptimizationLevel::Os, OptimizationLevel::Oz};
  return LEVELS[settings.level];
}

// PassBuilder's `buildPerModuleDefaultPipeline` up to its `buildModuleOptimizationPipeline`.
static ModulePassManager first_half(PassBuilder &builder,
                                    OptimizationLevel level) {
  ModulePassManager passes;
  passes.addPass(MemProfRemoveInfo());
  passes.addPass(Annotation2MetadataPass());
  passes.addPass(ForceFunctionAttrsPass());
  passes.addPass(builder.buildModuleSimplificationPipeline(
      level, ThinOrFullLTOPhase::None));
  return passes;
}

// And the rest of it.
static ModulePassManager second_half(PassBuilder &builder,
                                     OptimizationLevel level) {
  ModulePassManager passes = builder.buildModuleOptimizationPipeline(
      level, ThinOrFullLTOPhase::None);
  passes.addPass(createModuleToFunctionPassAdaptor(AnnotationRemarksPass()));
  return passes;
}

static ModulePassManager whole_pipeline(PassBuilder &builder,
                                        OptimizationLevel level) {
  if (level == OptimizationLevel::O0)
    return builder.buildO0DefaultPipeline(level);
  ModulePassManager passes = first_half(builder, level);
  passes.addPass(second_half(builder, level));
  return passes;
}

static LarderStatus parse(Run &run, const LarderModule &self,
                          ModulePassManager &passes) {
  if (Error error = run.builder.parsePassPipeline(passes, text(self.settings.pipeline))) {
    report(self.sink, larder::ERROR, toString(std::move(error)));
    return LARDER_BAD_REQUEST;
  }
  return LARDER_OK;
}

// Tells how far the walk over the call graph is, which is where nearly all the time goes: a function whose attributes were
// deduced for the last time is done.
static void watch(Run &run, const LarderModule &self) {
  uint32_t total = 0;
  for (const Function &function : *self.module)
    total += !function.isDeclaration();
  run.callbacks.registerAfterPassCallback(
      [&self, total, done = 0u](StringRef pass, Any,
                                const PreservedAnalyses &) mutable {
        if (pass == "CoroSplitPass" && done < total)
          self.sink.progress(self.sink.context, ++done, total);
      });
}

// Once nobody waits for the module, passes that can be left out are: what is left of it is thrown away.
static void give_up_unless_awaited(Run &run, const LarderModule &self) {
  if (self.sink.is_awaited)
    run.callbacks.registerShouldRunOptionalPassCallback(
        [sink = self.sink](StringRef, Any) { return sink.is_awaited(sink.context); });
}

static bool has_pipeline(const LarderSettings &settings) {
  return settings.pipeline.len != 0;
}

LarderStatus larder_optimise(LarderModule *self, uint64_t part_size) {
  self->part_size = part_size;
  std::optional<Ahead> ahead;
  OptimizationLevel level = larder::level(self->settings);
  Run run(*self->machine, level);
  guard_pipeline(*self->module, run.builder);
  ModulePassManager passes;
  if (has_pipeline(self->settings)) {
    if (LarderStatus status = parse(run, *self, passes); status != LARDER_OK)
      return status;
  } else if (part_size == 0 || level == OptimizationLevel::O0) {
    passes = whole_pipeline(run.builder, level);
  } else {
    passes = first_half(run.builder, level);
    if (Ahead::is_possible(*self->module))
      ahead.emplace(*self).watch(run.callbacks);
  }
  watch(run, *self);
  give_up_unless_awaited(run, *self);
  if (!guard_passes(*self->module, passes)) {
    report(self->sink, larder::ERROR, "a module with guards can't have passes repeated");
    return LARDER_BAD_REQUEST;
  }
  run(passes, *self->module);
  return has_errors(*self->context) ? LARDER_MALFORMED : LARDER_OK;
}

LarderStatus larder::finish_optimising(Module &module, TargetMachine &machine,
                                       const LarderSettings &settings) {
  OptimizationLevel level = larder::level(settings);
  if (has_pipeline(settings) || level == OptimizationLevel::O0)
    return LARDER_OK;
  Run run(machine, level);
  ModulePassManager passes = second_half(run.builder, level);
  run(passes, module);
  return has_errors(module.getContext()) ? LARDER_MALFORMED : LARDER_OK;
}

LarderStatus larder::optimise_group(Module &module, TargetMachine &machine,
                                    const LarderSettings &settings) {
  OptimizationLevel level = larder::level(settings);
  Run run(machine, level);
  guard_pipeline(module, run.builder);
  ModulePassManager passes = whole_pipeline(run.builder, level);
  guard_passes(module, passes);
  run(passes, module);
  return has_errors(module.getContext()) ? LARDER_MALFORMED : LARDER_OK;
}

uint64_t larder_instruction_count(const LarderModule *self) {
  uint64_t count = 0;
  for (const Function &function : *self->module)
    count += function.getInstructionCount();
  return count;
}

uint64_t larder_size_left(const LarderModule *self) {
  uint64_t count = 0;
  for (const Function &function : *self->module)
    if (!function.isDeclarationForLinker())
      count += function.getInstructionCount();
  return count;
}
