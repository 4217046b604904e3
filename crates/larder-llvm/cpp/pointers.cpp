// Addresses of the client's process that stand in a module as integers: a JIT's way to speak of its own heap.
//
// Such code holds in one process only. An address in a region that the client gave a name becomes an object of that name and an
// offset, which a later process finds again. Any other becomes an object that only this process has; so a later process drops the
// functions that use it. What the module says afterwards may be saved.
//
// What is an address: an integer that can be seen to become a pointer (`inttoptr`), by way of phi, select, sums, unions of bits, and
// local variables, or of a variable's initial value. Not what no address of a process can be: less than 0x10000, or 2^47 and more.
// In a sum, either operand may be an offset: a number counts if it lies in a region, or is too large for one.
// Another 64-bit integer that lies in a region may be an address that leaves the function as a number. It stays; its function, or
// those that use its variable, count on an object that only this process has. Cases of a switch are no operands for addresses.
//
// An object's address may lie in another object, and there may be names for it besides: so where an address comes from is hidden
// from the optimiser, which would conclude that two variables don't overlap. In code an assembly without a byte does that; an
// initial value that holds addresses is declared to change before the program begins.

#include "pointers.h"

#include "guards.h"
#include "markers.h"
#include "objects.h"
#include "ownership.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/Sequence.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/ReplaceConstant.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace larder;

namespace {

enum RawPointers : uint32_t { IGNORE = 0, RESCUE = 1, STRICT = 2, MAPPED = 3 };

constexpr uint64_t ADDRESS_MIN = 0x10000, ADDRESS_END = uint64_t(1) << 47;
// An offset isn't longer than this.
constexpr uint64_t OFFSET_MAX = UINT32_MAX;
// How many addresses of a function a report tells.
constexpr size_t TOLD_MAX = 3;

// The number that a constant is; nothing for one that no pointer could be.
std::optional<uint64_t> number_of(const Constant *constant) {
  const auto *number = dyn_cast_or_null<ConstantInt>(constant);
  if (!number || number->getValue().getActiveBits() > 64)
    return std::nullopt;
  return number->getZExtValue();
}

bool is_address(std::optional<uint64_t> number) {
  return number && *number >= ADDRESS_MIN && *number < ADDRESS_END;
}

// Calls `visit` with each element of a constant vector, or with the constant.
template <typename Visit> void each_lane(Constant &constant, Visit visit) {
  const auto *type = dyn_cast<FixedVectorType>(constant.getType());
  for (unsigned lane = 0; lane < (type ? type->getNumElements() : 1); ++lane)
    if (Constant *element = type ? constant.getAggregateElement(lane) : &constant)
      visit(*element, lane);
}

// Values, and whether they were met in a sum.
using Seen = DenseSet<std::pair<const Value *, unsigned>>;

// What was found in one function or variable.
struct Finding {
  bool session_only = false;
  // What became a pointer, and what may be an address and stays a number.
  SetVector<uint64_t> addresses, numbers;
};

class Pointers {
  LarderModule &self;
  Module &module;
  ArrayRef<LarderRegion> regions;
  const bool strict;
  // Whether what lies in no region stays as it is.
  const bool mapped_only;
  MapVector<GlobalValue *, Finding> findings;
  MapVector<uint64_t, std::string> session;

public:
  Pointers(LarderModule &self, const LarderWanted &wanted)
      : self(self), module(*self.module), regions(wanted.regions, wanted.region_count),
        strict(wanted.raw_pointers == STRICT), mapped_only(wanted.raw_pointers == MAPPED) {}

  LarderStatus run() {
    if (mapped_only && !has_number_in_region())
      return LARDER_OK;
    if (LarderStatus status = check_indirect(); status != LARDER_OK)
      return status;
    SetVector<Use *> uses;
    SmallVector<std::pair<Function *, uint64_t>> unseen;
    for (Function &function : module)
      if (!function.isDeclaration())
        find(function, uses, unseen);
    for (GlobalVariable &variable : module.globals())
      if (variable.hasInitializer() && !is_used_list(variable))
        rescue_initializer(variable);
    for (auto [function, number] : unseen)
      count_on(*function, *function, number);
    for (Use *use : uses)
      replace(*use);
    return report_findings();
  }

private:
  // --- What there is ---

  const LarderRegion *region_of(uint64_t address) const {
    const auto *found = partition_point(regions, [&](const LarderRegion &region) { return region.start <= address; });
    if (found == regions.begin())
      return nullptr;
    --found;
    return address - found->start < found->len ? found : nullptr;
  }

  // Whether any constant of the module is, or has in it, a number that lies in a region. Most modules have none and need no closer look.
  bool has_number_in_region() const {
    SmallPtrSet<const Constant *, 32> seen;
    const auto has_number = [&](const User &user) {
      return any_of(user.operand_values(), [&](const Value *operand) { return has_number_in_region(operand, seen); });
    };
    for (const Function &function : module) {
      if (has_number(function))
        return true;
      for (const Instruction &instruction : instructions(function))
        if (has_number(instruction))
          return true;
    }
    return any_of(module.globals(), has_number) || any_of(module.aliases(), has_number);
  }

  bool has_number_in_region(const Value *value, SmallPtrSetImpl<const Constant *> &seen) const {
    if (const auto *number = dyn_cast<ConstantInt>(value))
      return is_in_region(number_of(number));
    const auto *constant = dyn_cast<Constant>(value);
    if (!constant || isa<GlobalValue>(constant))
      return false;
    if (const auto *data = dyn_cast<ConstantDataSequential>(constant))
      return data->getElementType()->isIntegerTy(64) && seen.insert(data).second &&
             any_of(seq(0u, unsigned(data->getNumElements())),
                    [&](unsigned index) { return is_in_region(data->getElementAsInteger(index)); });
    return constant->getNumOperands() != 0 && seen.insert(constant).second &&
           any_of(constant->operand_values(), [&](const Value *operand) { return has_number_in_region(operand, seen); });
  }

  bool is_in_region(std::optional<uint64_t> number) const { return is_address(number) && region_of(*number); }

  // Whether a number that becomes a pointer is to be replaced.
  bool concerns(std::optional<uint64_t> number) const {
    return mapped_only ? is_in_region(number) : is_address(number);
  }

  // The same of a number of which nobody knows what it becomes.
  bool may_concern(uint64_t number) const { return region_of(number) && (!mapped_only || number > OFFSET_MAX); }

  bool holds_address(Constant &constant) const {
    bool found = false;
    each_lane(constant, [&](Constant &element, unsigned) { found |= concerns(number_of(&element)); });
    return found;
  }

  // `inttoptr` of numbers that are to be replaced.
  bool is_pointer_constant(const Constant &constant) const {
    const auto *expression = dyn_cast<ConstantExpr>(&constant);
    return expression && expression->getOpcode() == Instruction::IntToPtr && holds_address(*expression->getOperand(0));
  }

  // A symbol can't be a number and an object at once.
  LarderStatus check_indirect() {
    for (const GlobalAlias &alias : module.aliases())
      if (is_pointer_constant(*alias.getAliasee())) {
        report(self.sink, larder::ERROR, ("alias " + alias.getName() + " stands for an address of this process").str());
        return LARDER_UNSUPPORTED;
      }
    return LARDER_OK;
  }

  void find(Function &function, SetVector<Use *> &uses, SmallVectorImpl<std::pair<Function *, uint64_t>> &unseen) {
    rescue_constants(function);
    expand(function);
    Seen seen;
    for (Instruction &instruction : instructions(function))
      if (isa<IntToPtrInst>(instruction))
        trace(instruction.getOperandUse(0), false, seen, uses);
    for (Instruction &instruction : instructions(function))
      for (Use &use : instruction.operands())
        if (may_be_unseen(use) && !uses.contains(&use))
          each_number(*cast<Constant>(use.get()), [&](uint64_t number) {
            if (may_concern(number))
              unseen.emplace_back(&function, number);
          });
  }

  static bool may_be_unseen(const Use &use) {
    if (!isa<Constant>(use.get()) || isa<GlobalValue>(use.get()))
      return false;
    if (const auto *choice = dyn_cast<SwitchInst>(use.getUser()))
      return use.getOperandNo() == 0 && choice;
    if (const auto *call = dyn_cast<CallBase>(use.getUser()); call && call->isArgOperand(&use))
      return !call->paramHasAttr(call->getArgOperandNo(&use), Attribute::ImmArg);
    return true;
  }

  // Calls `visit` with each 64-bit integer in a constant that could be an address.
  template <typename Visit> static void each_number(Constant &constant, Visit visit) {
    SmallVector<Constant *> pending{&constant};
    SmallPtrSet<const Constant *, 8> seen;
    while (!pending.empty()) {
      Constant *next = pending.pop_back_val();
      if (isa<GlobalValue>(next) || isa<BlockAddress>(next) || !seen.insert(next).second)
        continue;
      if (next->getType()->isIntegerTy(64) && is_address(number_of(next)))
        visit(*number_of(next));
      else if (const auto *data = dyn_cast<ConstantDataSequential>(next)) {
        if (data->getElementType()->isIntegerTy(64))
          for (unsigned index = 0; index < data->getNumElements(); ++index)
            if (is_address(data->getElementAsInteger(index)))
              visit(data->getElementAsInteger(index));
      } else
        for (Value *operand : next->operand_values())
          if (auto *element = dyn_cast<Constant>(operand))
            pending.push_back(element);
    }
  }

  // Addresses become operands of instructions, where anything can take their place.
  void expand(Function &function) const {
    SetVector<Constant *> found;
    SmallPtrSet<const Constant *, 32> seen;
    SmallVector<Constant *> pending;
    for (Instruction &instruction : instructions(function))
      for (Value *operand : instruction.operand_values())
        if (auto *constant = dyn_cast<Constant>(operand); constant && !isa<GlobalValue>(constant))
          pending.push_back(constant);
    while (!pending.empty()) {
      Constant *constant = pending.pop_back_val();
      if (isa<GlobalValue>(constant) || !seen.insert(constant).second)
        continue;
      if (is_pointer_constant(*constant))
        found.insert(constant);
      else if (!isa<BlockAddress>(constant))
        for (Value *operand : constant->operand_values())
          if (auto *element = dyn_cast<Constant>(operand))
            pending.push_back(element);
    }
    if (!found.empty())
      convertUsersOfConstantsToInstructions(found.getArrayRef(), &function, /*RemoveDeadConstants=*/false,
                                            /*IncludeSelf=*/true);
  }

  // What has to stay a constant: data before a function, its personality, what a landing pad catches.
  void rescue_constants(Function &function) {
    const auto rescue = [&](Use &use) {
      if (auto *constant = dyn_cast<Constant>(use.get()); constant && !isa<GlobalValue>(constant))
        if (Constant *rescued = rescued_constant(function, *constant); rescued != constant)
          use.set(rescued);
    };
    for (Use &use : function.operands())
      rescue(use);
    for (Instruction &instruction : instructions(function))
      if (isa<LandingPadInst>(instruction))
        for (Use &use : instruction.operands())
          rescue(use);
  }

  // --- Which numbers become pointers ---

  void trace(Use &use, bool in_sum, Seen &seen, SetVector<Use *> &uses) {
    Value *value = use.get();
    if (auto *constant = dyn_cast<Constant>(value)) {
      if (counts(*constant, in_sum))
        uses.insert(&use);
      return;
    }
    auto *instruction = dyn_cast<Instruction>(value);
    if (!instruction || !seen.insert({instruction, unsigned(in_sum)}).second)
      return;
    switch (instruction->getOpcode()) {
    case Instruction::PHI:
      for (Use &incoming : cast<PHINode>(instruction)->incoming_values())
        trace(incoming, in_sum, seen, uses);
      break;
    case Instruction::Select:
      trace(instruction->getOperandUse(1), in_sum, seen, uses);
      trace(instruction->getOperandUse(2), in_sum, seen, uses);
      break;
    case Instruction::Add:
    case Instruction::Or:
      trace(instruction->getOperandUse(0), true, seen, uses);
      trace(instruction->getOperandUse(1), true, seen, uses);
      break;
    case Instruction::Sub:
      trace(instruction->getOperandUse(0), true, seen, uses);
      break;
    case Instruction::And:
      // The constant is a mask.
      for (Use &operand : instruction->operands())
        if (!isa<Constant>(operand.get()))
          trace(operand, in_sum, seen, uses);
      break;
    case Instruction::Freeze:
      trace(instruction->getOperandUse(0), in_sum, seen, uses);
      break;
    case Instruction::Load:
      trace_load(*cast<LoadInst>(instruction), in_sum, seen, uses);
      break;
    default:
      break;
    }
  }

  bool counts(Constant &constant, bool in_sum) const {
    if (!constant.getType()->isIntOrIntVectorTy(64))
      return false;
    bool found = false;
    each_lane(constant, [&](Constant &element, unsigned) {
      const std::optional<uint64_t> number = number_of(&element);
      found |= concerns(number) && (!in_sum || *number > OFFSET_MAX || region_of(*number));
    });
    return found;
  }

  // What is stored to the same place of a local variable.
  void trace_load(LoadInst &load, bool in_sum, Seen &seen, SetVector<Use *> &uses) {
    const DataLayout &layout = module.getDataLayout();
    APInt offset(64, 0);
    Value *base = load.getPointerOperand()->stripAndAccumulateConstantOffsets(layout, offset, /*AllowNonInbounds=*/true);
    if (!isa<AllocaInst>(base))
      return;
    SmallVector<std::pair<Value *, APInt>> pending{{base, APInt(64, 0)}};
    while (!pending.empty()) {
      auto [place, at] = pending.pop_back_val();
      for (Use &use : place->uses()) {
        if (auto *element = dyn_cast<GetElementPtrInst>(use.getUser())) {
          APInt inner = at;
          if (element->accumulateConstantOffset(layout, inner))
            pending.emplace_back(element, inner);
        } else if (auto *store = dyn_cast<StoreInst>(use.getUser());
                   store && store->getPointerOperand() == place && at == offset &&
                   store->getValueOperand()->getType() == load.getType())
          trace(store->getOperandUse(0), in_sum, seen, uses);
      }
    }
  }

  // --- What becomes of them ---

  GlobalVariable &object_at(GlobalValue &user, uint64_t address, uint64_t &offset) {
    Finding &finding = findings[&user];
    finding.addresses.insert(address);
    const LarderRegion *region = region_of(address);
    if (region && region->name.len != 0) {
      offset = address - region->start;
      return *declare_object(module, text(region->name));
    }
    finding.session_only = true;
    offset = 0;
    return *declare_object(module, session_name(address));
  }

  // The name of what only this process has at that address.
  const std::string &session_name(uint64_t address) {
    auto [entry, is_new] = session.try_emplace(address);
    if (is_new)
      entry->second = ("session." + utohexstr(self.digest, /*LowerCase=*/true, /*Width=*/16) + "." +
                       Twine(session.size() - 1))
                          .str();
    return entry->second;
  }

  // A number stays in `function`, which may be told of `user`.
  void count_on(Function &function, GlobalValue &user, uint64_t number) {
    Finding &finding = findings[&user];
    finding.session_only = true;
    finding.numbers.insert(number);
    count_on_presence(function, session_name(number));
  }

  void replace(Use &use) {
    // Done along with another edge from the same block.
    if (!isa<Constant>(use.get()))
      return;
    auto *user = cast<Instruction>(use.getUser());
    Instruction *place = user;
    if (auto *phi = dyn_cast<PHINode>(user))
      place = phi->getIncomingBlock(use)->getTerminator();
    auto &constant = *cast<Constant>(use.get());
    IRBuilder<> builder(place);
    Function &function = *user->getFunction();
    Value *result = without_addresses(constant);
    each_lane(constant, [&](Constant &element, unsigned lane) {
      if (!concerns(number_of(&element)))
        return;
      Value *number = address(function, *number_of(&element), builder);
      result = constant.getType()->isVectorTy() ? builder.CreateInsertElement(result, number, lane)
                                                : number;
    });
    if (auto *phi = dyn_cast<PHINode>(user)) {
      // Of a block with several edges here, all bring the same.
      for (unsigned index = 0; index < phi->getNumIncomingValues(); ++index)
        if (phi->getIncomingBlock(index) == place->getParent() && phi->getIncomingValue(index) == &constant)
          phi->setIncomingValue(index, result);
    } else
      use.set(result);
  }

  Constant *without_addresses(Constant &constant) const {
    if (!constant.getType()->isVectorTy())
      return &constant;
    SmallVector<Constant *> elements;
    each_lane(constant, [&](Constant &element, unsigned) {
      elements.push_back(concerns(number_of(&element)) ? Constant::getNullValue(element.getType()) : &element);
    });
    return ConstantVector::get(elements);
  }

  Value *address(Function &function, uint64_t number, IRBuilder<> &builder) {
    uint64_t offset;
    GlobalVariable &object = object_at(function, number, offset);
    Value *start = builder.Insert(hide_origin(object));
    return builder.CreateAdd(builder.CreatePtrToInt(start, builder.getInt64Ty()), builder.getInt64(offset));
  }

  Constant *constant_address(GlobalValue &user, uint64_t number) {
    uint64_t offset;
    GlobalVariable &object = object_at(user, number, offset);
    LLVMContext &context = module.getContext();
    Constant *index = ConstantInt::get(Type::getInt64Ty(context), offset);
    return ConstantExpr::getGetElementPtr(Type::getInt8Ty(context), &object, index);
  }

  // The constant with objects for the addresses in it.
  Constant *rescued_constant(GlobalValue &user, Constant &constant) {
    if (isa<GlobalValue>(constant) || isa<ConstantData>(constant) || isa<BlockAddress>(constant))
      return &constant;
    if (is_pointer_constant(constant) && !constant.getType()->isVectorTy())
      return constant_address(user, *number_of(cast<Constant>(constant.getOperand(0))));
    SmallVector<Constant *> operands;
    bool changed = false;
    for (Value *operand : constant.operand_values()) {
      operands.push_back(rescued_constant(user, *cast<Constant>(operand)));
      changed |= operands.back() != operand;
    }
    if (!changed)
      return &constant;
    if (auto *expression = dyn_cast<ConstantExpr>(&constant))
      return expression->getWithOperands(operands);
    if (auto *type = dyn_cast<ArrayType>(constant.getType()))
      return ConstantArray::get(type, operands);
    if (auto *type = dyn_cast<StructType>(constant.getType()))
      return ConstantStruct::get(type, operands);
    return ConstantVector::get(operands);
  }

  void rescue_initializer(GlobalVariable &variable) {
    // Before anything is rescued: offsets are no addresses.
    SetVector<uint64_t> numbers;
    each_number(*variable.getInitializer(), [&](uint64_t number) {
      if (may_concern(number))
        numbers.insert(number);
    });
    each_pointer(*variable.getInitializer(), [&](uint64_t number) { numbers.remove(number); });
    Constant *rescued = rescued_constant(variable, *variable.getInitializer());
    if (rescued != variable.getInitializer()) {
      variable.setInitializer(rescued);
      variable.setExternallyInitialized(!variable.hasAppendingLinkage());
    }
    for (uint64_t number : numbers)
      each_function_with(variable, [&](Function &function) { count_on(function, variable, number); });
  }

  // Calls `visit` with each number that a constant makes a pointer of.
  template <typename Visit> void each_pointer(Constant &constant, Visit visit) const {
    if (isa<GlobalValue>(constant) || isa<ConstantData>(constant) || isa<BlockAddress>(constant))
      return;
    if (is_pointer_constant(constant) && !constant.getType()->isVectorTy())
      return visit(*number_of(cast<Constant>(constant.getOperand(0))));
    for (Value *operand : constant.operand_values())
      each_pointer(*cast<Constant>(operand), visit);
  }

  // --- What is told ---

  LarderStatus report_findings() {
    LarderStatus status = LARDER_OK;
    for (const auto &[user, finding] : findings) {
      const std::string why = describe(finding);
      if (strict && finding.session_only) {
        report(self.sink, larder::ERROR,
               (Twine(isa<Function>(user) ? "function " : "variable ") + user->getName() + ": " + why).str());
        status = LARDER_UNSUPPORTED;
      }
      self.pointers.push_back({user->getName().str(), finding.session_only, why});
    }
    for (const auto &[address, name] : session)
      self.session_objects.push_back({name, address});
    if (!findings.empty()) {
      raw_svector_ostream stream(self.rescued);
      WriteBitcodeToFile(module, stream);
    }
    return status;
  }

  std::string describe(const Finding &finding) const {
    std::string why;
    size_t told = 0;
    const auto tell = [&](const Twine &what, uint64_t address) {
      if (told++ > TOLD_MAX)
        return;
      const LarderRegion *region = region_of(address);
      const StringRef name = region ? text(region->name) : "";
      why += why.empty() ? "" : ", ";
      why += told > TOLD_MAX ? "and more"
                             : (what + "0x" + utohexstr(address, /*LowerCase=*/true) +
                                (name.empty() ? " in no named region" : " in " + name))
                                   .str();
    };
    for (uint64_t number : finding.numbers)
      tell("the number ", number);
    for (uint64_t address : finding.addresses)
      tell("", address);
    return why;
  }
};

} // namespace

LarderStatus larder::rescue_pointers(LarderModule &self, const LarderWanted &wanted) {
  return wanted.raw_pointers == IGNORE ? LARDER_OK : Pointers(self, wanted).run();
}

void larder_pointers(const LarderModule *self, void *context,
                     void (*receive)(void *, LarderBytes, bool, LarderBytes)) {
  for (const PointerUse &use : self->pointers)
    receive(context, bytes(use.name), use.session_only, bytes(use.why));
}

void larder_session_objects(const LarderModule *self, void *context,
                            void (*receive)(void *, LarderBytes, uint64_t)) {
  for (const SessionObject &object : self->session_objects)
    receive(context, bytes(object.name), object.address);
}

LarderBytes larder_rescued(const LarderModule *self) {
  return bytes({self->rescued.data(), self->rescued.size()});
}
