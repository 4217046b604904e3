//! LLVM IR to relocatable objects, in a worker process.
