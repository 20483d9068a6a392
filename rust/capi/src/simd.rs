//! The SIMD level of this process: the best there is, or what MEAN_SIMD says.

use mean_core::{levels, Level};
use std::ffi::CString;
use std::sync::OnceLock;

/// The name and the level; `None` where MEAN_SIMD names none that this CPU has. Read once, so that
/// a level cannot change between two calls.
pub(crate) fn level() -> Option<&'static (CString, Level)> {
    static LEVEL: OnceLock<Option<(CString, Level)>> = OnceLock::new();
    LEVEL
        .get_or_init(|| {
            let wanted = std::env::var_os("MEAN_SIMD").filter(|wanted| !wanted.is_empty());
            let mut levels = levels().into_iter();
            let (name, level) = match wanted {
                Some(wanted) => levels.find(|(name, _)| *name == wanted)?,
                None => levels.last()?,
            };
            Some((CString::new(name).ok()?, level))
        })
        .as_ref()
}
