#include "markers.h"

#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstIterator.h"

using namespace llvm;
using namespace larder;

static constexpr StringLiteral MARKER_START = "0:\n.pushsection .larder.uses,\"\",@progbits\n.quad 0b\n.quad \"";
static constexpr StringLiteral SAME_REGISTER = "=r,0";
static constexpr StringLiteral MARKER_END = "\"\n.popsection";

CallInst *larder::new_marker(StringRef symbol, LLVMContext &context) {
  std::string text = MARKER_START.str();
  for (const char letter : symbol)
    text.append(letter == '$' ? 2 : 1, letter);
  text += MARKER_END;
  FunctionType *type = FunctionType::get(Type::getVoidTy(context), false);
  CallInst *call = CallInst::Create(type, InlineAsm::get(type, text, "", /*hasSideEffects=*/true));
  call->addFnAttr(Attribute::NoUnwind);
  call->addFnAttr(Attribute::WillReturn);
  call->addFnAttr(Attribute::getWithMemoryEffects(context, MemoryEffects::inaccessibleMemOnly()));
  return call;
}

static bool is_use_marker(const Instruction &instruction) {
  const auto *call = dyn_cast<CallInst>(&instruction);
  const auto *assembly = call ? dyn_cast<InlineAsm>(call->getCalledOperand()) : nullptr;
  return assembly && StringRef(assembly->getAsmString()).starts_with(MARKER_START);
}

Instruction *larder::hide_origin(Value &pointer) {
  LLVMContext &context = pointer.getContext();
  FunctionType *type = FunctionType::get(pointer.getType(), pointer.getType(), false);
  CallInst *call = CallInst::Create(type, InlineAsm::get(type, "", SAME_REGISTER, /*hasSideEffects=*/false), &pointer);
  call->addFnAttr(Attribute::NoUnwind);
  call->addFnAttr(Attribute::WillReturn);
  call->addFnAttr(Attribute::getWithMemoryEffects(context, MemoryEffects::none()));
  return call;
}

bool larder::is_marker(const CallBase &call) {
  const auto *assembly = dyn_cast<InlineAsm>(call.getCalledOperand());
  return is_use_marker(call) ||
         (assembly && assembly->getAsmString().empty() && assembly->getConstraintString() == SAME_REGISTER);
}

PreservedAnalyses GatherMarkers::run(Function &function, FunctionAnalysisManager &) {
  SmallVector<Instruction *> found;
  for (Instruction &instruction : instructions(function))
    if (is_use_marker(instruction))
      found.push_back(&instruction);
  if (found.empty())
    return PreservedAnalyses::all();
  BasicBlock &entry = function.getEntryBlock();
  SmallPtrSet<const Value *, 4> kinds;
  for (Instruction *marker : found) {
    if (!kinds.insert(cast<CallInst>(marker)->getCalledOperand()).second)
      marker->eraseFromParent();
    else if (marker->getParent() != &entry)
      marker->moveBefore(entry, entry.getFirstNonPHIOrDbgOrAlloca());
  }
  PreservedAnalyses preserved;
  preserved.preserveSet<CFGAnalyses>();
  return preserved;
}
