//! The C API as C and C++ programs use it: compiled by the system's compilers, linked to the shared and to the static library.

mod example;
mod exceptions;
mod header;
mod heap;
mod install;
mod misuse;
mod programs;
mod sessions;
mod threads;
