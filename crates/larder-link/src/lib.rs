//! Relocatable ELF objects to one unbound image: pure and deterministic.
