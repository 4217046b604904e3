//! Keeps a JIT's native code and gives it back at the next start.
