//! What comes from far: how it is read, and asked for early.
//!
//! A core waits for some cache lines at once, and for others the hardware asks by itself, if it foresees
//! them. That is less than it could be where more is done with an element than to add it, at the end of each
//! page, and where eight rows are read in turn.

use crate::tile::ROWS;
use std::ops::Range;
use std::sync::OnceLock;

/// Bytes in a cache line.
pub const LINE: usize = 64;
/// Bytes of an array of which most come from memory.
const FAR: usize = 20 << 20;
/// Less is near everywhere.
const NEAR: usize = 1 << 20;

/// From how many bytes on something is read otherwise: of fewer, in a nearer cache, it would cost a tenth.
struct Limits {
    /// A stream is asked for early.
    stream: usize,
    /// Of a table whose rows are long two are read at once; and of any.
    long_pairs: usize,
    pairs: usize,
    /// The next rows of a table are asked for early.
    table: usize,
}

/// As measured, on Intel's Emerald Rapids and on Zen 4. The third cache of the former is large, and as far as
/// memory is elsewhere. The first cache can wait for 16 lines, which are 15 GB/s from there; more comes if the
/// second foresees it, as it does of two rows, and of eight at some distances only. Zen 4 foresees a stream by
/// itself, and takes half as long again for one that is asked for too.
fn limits() -> &'static Limits {
    static LIMITS: OnceLock<Limits> = OnceLock::new();
    LIMITS.get_or_init(|| {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        if raw_cpuid::CpuId::new().get_vendor_info().is_some_and(|it| it.as_str() == "GenuineIntel")
        {
            return Limits {
                stream: 2 << 20,
                long_pairs: 2 << 20,
                pairs: 16 << 20,
                table: 36 << 20,
            };
        }
        Limits { stream: usize::MAX, long_pairs: FAR, pairs: FAR, table: FAR }
    })
}

/// How early what follows in a stream is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Ahead {
    /// So many bytes.
    pub bytes: usize,
    /// Whether it comes from memory, and is to be in the second cache; else in the first.
    pub is_far: bool,
}

impl Ahead {
    /// In a stream of so many bytes; `None` where it is not.
    #[inline(always)]
    pub fn of(bytes: usize) -> Option<Self> {
        if bytes < NEAR || bytes < limits().stream {
            return None;
        }
        let is_far = bytes >= FAR;
        Some(Self { bytes: if is_far { 8 << 10 } else { 4 << 10 }, is_far })
    }
}

/// How the rows of a table are read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading {
    /// Eight at once.
    Near,
    /// Two at once.
    Pairs,
    /// Eight, while the next eight are asked for.
    Far,
}

impl Reading {
    /// Of a table of so many bytes. Do its rows follow one another, and are they longer than what is read
    /// of them at once?
    pub fn of(bytes: usize, dense: bool, long: bool) -> Self {
        let Limits { long_pairs, pairs, table, .. } = *limits();
        match bytes {
            _ if bytes >= table => Self::Far,
            _ if dense && bytes >= if long { long_pairs } else { pairs } => Self::Pairs,
            _ => Self::Near,
        }
    }

    pub(crate) fn rows(self) -> usize {
        match self {
            Self::Pairs => 2,
            Self::Near | Self::Far => ROWS,
        }
    }
}

/// Gives `take` the elements of a range in groups of `len`, and asks early for those that follow.
#[inline(always)]
pub(crate) fn for_groups<E>(
    data: &[E],
    range: Range<usize>,
    len: usize,
    mut take: impl FnMut(&[E]),
) {
    let start = range.start;
    let groups = data[range].chunks_exact(len);
    // (Two loops: the first may be in a near cache.)
    let Some(ahead) = Ahead::of(size_of_val(data)) else {
        for group in groups {
            take(group);
        }
        return;
    };
    let mut next = start + ahead.bytes / size_of::<E>();
    for group in groups {
        fetch(data, next..next + len, ahead.is_far);
        next += len;
        take(group);
    }
}

/// Asks for the elements of a range, as far as there are any.
#[inline(always)]
pub(crate) fn fetch<E>(data: &[E], range: Range<usize>, is_far: bool) {
    let line = LINE / size_of::<E>();
    for i in 0..range.len().div_ceil(line) {
        if let Some(x) = data.get(range.start + i * line) {
            prefetch(x, is_far);
        }
    }
}

#[inline(always)]
fn prefetch<E>(x: &E, is_far: bool) {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    if is_far {
        safe_arch::prefetch_t1(x);
    } else {
        safe_arch::prefetch_t0(x);
    }
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
    let _ = (x, is_far);
}
