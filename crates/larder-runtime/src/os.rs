//! What is asked of the operating system. To port Larder, write this module for the other system.

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
pub(crate) use linux::*;
