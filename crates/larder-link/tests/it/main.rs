//! The linker on objects of real compilers and assemblers.

mod copies;
mod damage;
mod debug_info;
mod determinism;
mod elf_tools;
mod guards;
mod image;
mod indirect;
mod init;
mod large;
mod property;
mod reach;
mod refusals;
mod relocations;
mod sections;
mod symbols;
mod threads;
mod tools;
mod units;
mod unwind;
