//! The CPU features of this machine.

use larder_format::cpu::CpuFeatures;
use larder_format::image::CpuModel;
use std::sync::OnceLock;

#[cfg(target_arch = "x86_64")]
pub(crate) mod x86_64;

/// The features that code may use here: those of the processor which the operating system supports. Found out once.
///
/// To pretend to be another machine (in tests, or for the least machine of a fleet), hand another set to the loader.
pub fn host_features() -> &'static CpuFeatures {
    static FEATURES: OnceLock<CpuFeatures> = OnceLock::new();
    FEATURES.get_or_init(|| {
        #[cfg(target_arch = "x86_64")]
        return x86_64::host_features();
        #[cfg(not(target_arch = "x86_64"))]
        CpuFeatures::NONE
    })
}

/// What the code of an image learns of this processor; zeros mean nothing known. Found out once.
pub(crate) fn cpu_model() -> &'static CpuModel {
    static MODEL: OnceLock<CpuModel> = OnceLock::new();
    MODEL.get_or_init(|| {
        #[cfg(target_arch = "x86_64")]
        return x86_64::cpu_model(host_features());
        #[cfg(not(target_arch = "x86_64"))]
        CpuModel::default()
    })
}
