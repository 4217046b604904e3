//! A crash-safe directory of opaque entries.
