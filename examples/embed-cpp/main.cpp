// Tariffs become machine code: their steps are compiled into it, and their prices are read from the heap.
//
//     embed-cpp STORE TARIFF AMOUNT...
//
// The IR is built with this program's own LLVM. Larder compiles it in a process of its own, with another LLVM, and keeps what it makes.

#include "larder.hpp"

#include <llvm/Bitcode/BitcodeWriter.h>
#include <llvm/Config/llvm-config.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/raw_ostream.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <string>
#include <vector>

// From each amount on, a piece costs so much: the steps of a file with a line `FROM PRICE` for each, in ascending order.
struct Tariff {
  std::vector<int64_t> from, prices;

  explicit Tariff(const char *path) {
    std::ifstream file(path);
    for (int64_t start, price; file >> start >> price;) {
      from.push_back(start);
      prices.push_back(price);
    }
    if (from.empty() || from[0] != 0)
      throw std::runtime_error(std::string(path) + " has no price from 0 on");
  }

  // What code is made for. Prices are not in it: code reads them where they are.
  std::string key() const {
    std::string key = "tariff, 1";
    for (const int64_t start : from)
      key += " " + std::to_string(start);
    return key;
  }
};

// What code calls: a function of this program, known to it by name.
static void sold(int64_t amount, int64_t price) {
  std::printf("%lld pieces for %lld each\n", static_cast<long long>(amount), static_cast<long long>(price));
}

// `int64_t total(int64_t amount)`. `@prices` is no variable but the name of a heap object, which has so many words.
static std::unique_ptr<llvm::Module> build(const Tariff &tariff, llvm::LLVMContext &context) {
  auto module = std::make_unique<llvm::Module>("tariff", context);
  llvm::IRBuilder<> builder(context);
  llvm::Type *number = builder.getInt64Ty();
  llvm::ArrayType *list = llvm::ArrayType::get(number, tariff.prices.size());
  auto *prices = new llvm::GlobalVariable(*module, list, false, llvm::GlobalValue::ExternalLinkage, nullptr, "prices");
  prices->setMetadata("larder.object",
                      llvm::MDNode::get(context, {llvm::MDString::get(context, "prices"),
                                                  llvm::ConstantAsMetadata::get(builder.getInt64(tariff.prices.size()))}));
  const llvm::FunctionCallee sold = module->getOrInsertFunction("sold", builder.getVoidTy(), number, number);

  auto *type = llvm::FunctionType::get(number, {number}, false);
  auto *total = llvm::Function::Create(type, llvm::Function::ExternalLinkage, "total", *module);
  llvm::Value *amount = total->getArg(0);
  builder.SetInsertPoint(llvm::BasicBlock::Create(context, "", total));
  llvm::Value *step = builder.getInt64(0);
  for (size_t next = 1; next < tariff.from.size(); ++next)
    step = builder.CreateSelect(builder.CreateICmpSGE(amount, builder.getInt64(tariff.from[next])), builder.getInt64(next), step);
  llvm::Value *price = builder.CreateLoad(number, builder.CreateInBoundsGEP(list, prices, {builder.getInt64(0), step}));
  builder.CreateCall(sold, {amount, price});
  builder.CreateRet(builder.CreateMul(amount, price));
  return module;
}

// Runs on a miss only.
static void write_bitcode(void *tariff, larder_sink *sink) {
  llvm::LLVMContext context;
  std::string bitcode;
  llvm::raw_string_ostream stream(bitcode);
  llvm::WriteBitcodeToFile(*build(*static_cast<const Tariff *>(tariff), context), stream);
  stream.flush();
  larder_sink_write(sink, bitcode.data(), bitcode.size());
  std::printf("built with LLVM %d\n", LLVM_VERSION_MAJOR);
}

static void run(const char *store, const char *path, const std::vector<int64_t> &amounts) {
  const Settings settings(larder_settings_new());
  checked(larder_settings_set_store, settings.get(), store);
  const Kitchen kitchen(checked(larder_open, settings.get()));
  const Session session(checked(larder_session_new, kitchen.get()));

  Tariff tariff(path);
  checked(larder_session_define, session.get(), "sold", reinterpret_cast<const void *>(sold));
  checked(larder_session_define_object, session.get(), "prices", tariff.prices.data(), tariff.prices.size());

  const std::string key = tariff.key();
  larder_program *program = larder_program_new();
  checked(larder_program_add_keyed, program, "tariff", key.data(), key.size(), write_bitcode, &tariff);
  const Code code(checked(larder_load, session.get(), program, nullptr));
  std::printf("%s\n", larder_code_is_hit(code.get()) ? "taken from the store" : "compiled");

  const auto total = reinterpret_cast<int64_t (*)(int64_t)>(checked(larder_code_function, code.get(), "total"));
  for (const int64_t amount : amounts)
    std::printf("%lld\n", static_cast<long long>(total(amount)));
}

int main(int argc, char **argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: embed-cpp STORE TARIFF AMOUNT...\n");
    return 2;
  }
  std::vector<int64_t> amounts;
  for (int index = 3; index < argc; ++index)
    amounts.push_back(std::atoll(argv[index]));
  try {
    run(argv[1], argv[2], amounts);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "embed-cpp: %s\n", error.what());
    return 1;
  }
}
