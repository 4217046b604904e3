// The C API from C++, in a process that has LLVM's own library of another version and builds IR with it.
#include "larder.h"
#include <cstdio>
#include <string>

#include <llvm-c/BitWriter.h>
#include <llvm-c/Core.h>
#include <llvm/Config/llvm-config.h>

static int built;

static void build(void *, larder_sink *sink) {
    built++;
    LLVMModuleRef module = LLVMModuleCreateWithName("query");
    LLVMTypeRef number = LLVMInt64Type();
    LLVMTypeRef type = LLVMFunctionType(number, &number, 1, false);
    LLVMValueRef function = LLVMAddFunction(module, "thrice", type);
    LLVMBuilderRef builder = LLVMCreateBuilder();
    LLVMPositionBuilderAtEnd(builder, LLVMAppendBasicBlock(function, ""));
    LLVMBuildRet(builder, LLVMBuildMul(builder, LLVMGetParam(function, 0), LLVMConstInt(number, 3, false), ""));
    LLVMMemoryBufferRef bitcode = LLVMWriteBitcodeToMemoryBuffer(module);
    larder_sink_write(sink, LLVMGetBufferStart(bitcode), LLVMGetBufferSize(bitcode));
    LLVMDisposeMemoryBuffer(bitcode);
    LLVMDisposeBuilder(builder);
    LLVMDisposeModule(module);
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    larder_settings *settings = larder_settings_new();
    if (!larder_settings_set_store(settings, argv[1], nullptr)) return 2;
    larder *kitchen = larder_open(settings, nullptr);
    larder_settings_free(settings);
    larder_session *session = larder_session_new(kitchen, nullptr);
    larder_program *program = larder_program_new();
    const std::string key = "thrice 1";
    if (!larder_program_add_keyed(program, "thrice", key.data(), key.size(), build, nullptr, nullptr)) return 2;
    larder_error *error = nullptr;
    larder_code *code = larder_load(session, program, nullptr, &error);
    if (!code) {
        std::printf("%s\n", larder_error_message(error));
        return 1;
    }
    auto thrice = reinterpret_cast<long (*)(long)>(larder_code_function(code, "thrice", nullptr));
    std::printf("%ld %s, built %d, beside LLVM %u\n", thrice(14), larder_code_is_hit(code) ? "hit" : "miss", built, LLVM_VERSION_MAJOR);
    larder_code_free(code);
    larder_session_free(session);
    larder_close(kitchen);
}
