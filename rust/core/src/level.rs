//! The SIMD levels of this CPU.

use fearless_simd::{dispatch, Level, Simd};

/// Every level that this CPU has, weakest first, by its name in `MEAN_SIMD`.
///
/// ```
/// assert_eq!(mean_core::levels()[0].0, "fallback");
/// ```
pub fn levels() -> Vec<(&'static str, Level)> {
    let best = Level::new();
    let found: [(&str, Option<Level>); _] = [
        ("fallback", Some(Level::fallback())),
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        ("sse2", best.as_sse2().map(|simd| simd.level())),
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        ("avx2", best.as_avx2().map(|simd| simd.level())),
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        ("avx512", best.as_avx512().map(|simd| simd.level())),
        #[cfg(target_arch = "aarch64")]
        ("neon", best.as_neon().map(|simd| simd.level())),
    ];
    found.into_iter().filter_map(|(name, level)| Some((name, level?))).collect()
}

/// Runs `body` compiled for the instructions of `level`: `body` must be `#[inline(always)]`.
#[inline(always)]
pub fn vectorize<R>(level: Level, body: impl FnOnce() -> R) -> R {
    dispatch!(level, _simd => body())
}

/// Whether the level has fused multiply-add in hardware (else `mul_add` is a call for each lane).
#[inline(always)]
pub(crate) fn has_fma<S: Simd>(simd: S) -> bool {
    match simd.level() {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Level::Avx2(_) | Level::Avx512(_) => true,
        #[cfg(target_arch = "aarch64")]
        Level::Neon(_) => true,
        _ => false,
    }
}
