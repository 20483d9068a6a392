//! The kernel: the sum in floating-point lanes, exact but for a bound on what was dropped.
//!
//! # The arithmetic, and why it is exact
//!
//! The lanes have p bits of precision: 53, or 24 ("narrow"). Write X = s x for an element x times the
//! anchors' power of two s (1 where there is no FMA), and E for the exponent of the first anchor
//! A1 = 1.5 * 2^E. A lane holds T1, at first A1. A step is
//!
//! ```text
//! t = RN(T1 + X)    d = T1 - t    r = X + d    T1 = t    T2 = RN(T2 + r)
//! ```
//!
//! with X never formed: RN(T1 + s x) and s x + d are one `mul_add` each. Every t is tested (below)
//! to be in [2^E, 2^(E+1)). Given that, as in Dekker's and Veltkamp's extraction (Rump, Ogita,
//! Oishi, "Accurate floating-point summation, part I", 2008):
//!
//! - The grid of that binade is u1 = 2^(E+1-p). d is a multiple of u1 below 2^E: exact.
//! - r is the error of rounding T1 + X to t, so it is representable (X is: s >= 1 does not
//!   underflow; were X to overflow, t would be infinite and fail the test). So r is exact and |r|
//!   <= u1 / 2. **No bound on |x| is used**: only the place of t matters.
//! - The second anchor is A2 = 1.5 * 2^E2 with E2 = E + 1 - p + L, and a lane takes fewer than 2^L
//!   steps in a block. So the r's of a block add up to less than 2^L u1 / 2 = 2^(E2-1), and T2
//!   stays in its binade untested. A step drops at most u2 / 2 of r, where u2 = 2^(E2+1-p). With one
//!   window it drops r, at most u1 / 2.
//! - So bits(T1) - bits(A1), as integers, is the sum of the lane's X - r in units of u1, exactly;
//!   and T2's is the sum of its r's, less what was dropped, in units of u2.
//!
//! # The test
//!
//! With the exactness flag, or without FMA, `seen |= bits(t) ^ bits(A1)` against sign and exponent
//! is all there is to it.
//!
//! With FMA and no flag, s makes A1's BIASED exponent a multiple of STEP, an eighth of the exponents
//! (256) or half of narrow lanes' (128), and `seen |= bits(t)` is tested against the sign and those
//! exponent bits that A1 has not: half an operation a vector where there is three-way logic. A negative
//! t has the sign; NaN and inf have all exponent bits; a higher exponent has a bit that A1's has not,
//! and so has one lower by less than STEP (its low bits are not 0). Out of the binade into something
//! lower still comes only +0: |t| < 2^(E-1) takes |X| > 2^(E-1), so T1, X and t are multiples of
//! 2^(E-p). So the only way out unseen is X = -T1, t = +0, r = 0. From there the next t = X is in the
//! binade (r = 0), or seen, or some V > 0 below 2^(E+1-STEP) whose exponent is made of A1's bits. After
//! such a V, a t in the binade is X itself and V is lost; a t as small as V has at most all of it lost.
//! Either way the step loses less than 2^(E+3-STEP): far less than the u2 / 2 that it is charged with,
//! since its r is 0 or as small. So the bound holds. The flag would not, which is why it goes with the
//! full test.
//!
//! A T1 that ends a block outside its binade is caught by the test of the ends.
//!
//! A block is any elements, in fewer than 2^L groups: side by side, or of eight streams. Their order is used nowhere, and
//! nor is that of the blocks.
//! X is in two `mul_add`s: where it is loaded for each, both loads give the same, as they do behind a shared reference.
//!
//! # The anchors for an exponent e (|x| < 2^e expected, not required)
//!
//! E - k = e + 1 + L, with s = 2^k: fewer than 2^L elements below 2^e add up to less than 2^(E-1)
//! (each rounds to at most 2^e, a multiple of u1), so a block whose maximum is below 2^e ALWAYS
//! passes. In units of the elements, u1 = 2^(e+L+2-p) and u2 = 2^(e+2L+3-2p): 2^(e-43) and 2^(e-87),
//! narrow 2^(e-16) and 2^(e-33).
//!
//! - FMA: the biased E is the least multiple of STEP with k >= 0, but at least STEP (which keeps T2's
//!   grid normal) and at most 7 STEP, narrow 1. Above that k is negative: then a tiny X may be rounded,
//!   by at most half the least subnormal. Such anchors are `lossy`: the flag is not believed, and all
//!   that 2^64 elements lose so is less than a unit of the bound. s is normal: always, but narrow
//!   only for e <= 120. So float64 lanes have no top clamp: 1e308 has a window.
//! - No FMA: E = e + 1 + L, short of the largest exponent (one lower than need be); and e is at
//!   least such that u2 is the least subnormal, where nothing is dropped.
//!
//! Without anchors the exact path decides; narrow lanes leave it to the others.
//!
//! # Narrow lanes
//!
//! Elements as narrow as the lanes need no conversion, and a vector holds twice as many. But u2 is
//! only 2^-33 of e, and a mean within u2 / 2 of a midpoint is open: one in 2^8 where the mean is
//! 3/8 2^e to 3/4 2^e, and it is read again. So they are for data of mostly one sign. A sample tells,
//! and sets e by the MEAN magnitude: only sums must fit. Whatever it misses costs time alone: where
//! the sum stays small, or a block does not fit twice, other lanes go on.
//!
//! Elements of 16 bits have fewer midpoints, by 2^13 and more, so that either sign will do. float16 is
//! loaded 2^DOWN times too small, and x is then what is loaded; all that knows is the total's unit.
//!
//! # Headroom
//!
//! A lane's T1 - A1 and T2 - A2 lie within 2^(p-2) units; an integer lane adds 4 of them a block for at
//! most BLOCKS = 64 blocks: 2^59 in 64 bits, 2^30 in 32; and at most 8 lanes, narrow 16, make 2^62 in
//! an i64. In the i128 total u1 is 2^(p-1-L) u2, so a block of ROUNDS * 4 * lanes elements is at most
//! 4 * lanes * 2^51 * 2^(52-L) units of u2, or less than 2^88 an element (a head or tail is at most 31
//! elements of 2^95 each; narrow lanes are far below): before 2^36 elements and a flush, 2^125, it
//! moves to digits.

use crate::certificate::{Bounded, BoundedDigits};
use crate::element::Float;
use crate::far::{for_groups_in_streams, for_groups_twice, in_streams, Ahead, NEAR, STREAMS};
use crate::format::Format;
use crate::lane::{Bits, Holds, Lane};
use crate::level::has_fma;
use crate::source::Source;
use fearless_simd::{prelude::*, Level, Simd};
use std::ops::Range;

/// Blocks between two flushes of the integer lanes.
const BLOCKS: usize = 64;
const _: () = assert!(BLOCKS << f32::PRECISION < 1 << 31);
const _: () = assert!((BLOCKS as u64) << f64::PRECISION < 1 << 63);
/// Blocks that are read in streams. (Of 64 the streams would be a multiple of 2 KB apart, and meet in memory; and so
/// there is room for a head.)
const STRETCH: usize = BLOCKS - 1;
// (So a limit of 0 is every stretch: the shortest is of 16 bits, in vectors of 128.)
const _: () =
    assert!(STRETCH * STREAMS * (f32::ROUNDS / STREAMS * 4 * 4) * size_of::<u16>() > NEAR);
/// Elements that tell whether narrow lanes suit the data, and their anchors.
pub(crate) const SAMPLE: usize = 256;
/// How much higher the anchors of narrow lanes may go.
const RAISE: i32 = 2;
/// Elements between two flushes of the total into digits. (No array of a test has so many.)
const TOTAL: u64 = if cfg!(test) { 1 << 18 } else { 1 << 36 };
/// Up to so many elements, eight of them tell the first anchors; beyond, the first group.
const GLANCE: usize = 1024;
/// From so many elements on, loads are aligned to vectors.
const WORTH_ALIGNING: usize = 1 << 12;
/// With fewer elements left it is not worth while to widen to two windows.
const WORTH_WIDENING: usize = 1 << 18;

/// How far the kernel came.
pub(crate) enum Sum {
    /// All of it is in this sum, and in the earlier grids' digits where there are some; and so many
    /// elements were left out.
    All(Bounded, u64),
    /// These lanes drop too much for this mean, or cannot hold the next elements: others are to go on
    /// with these elements, and the digits hold all others, of which so many were left out.
    Widen(Range<usize>, u64),
    /// An element is not finite, or has no anchors: the exact path decides.
    Unknown,
}

/// The sum of `data`, which holds at least one group of four vectors, in lanes of `F`. What does not
/// fit one grid goes to `digits`. With `FLAG` the bound counts only blocks in which anything was
/// dropped. `hint` is the exponent of the anchors, left for the next run of elements, so that it may have
/// the same grid.
#[inline(always)]
pub(crate) fn sum<S: Simd, E: Float, F: Holds<E>, const FLAG: bool, const TWO: bool>(
    simd: S,
    data: impl Source<E>,
    hint: &mut Option<i32>,
    digits: &mut Option<BoundedDigits<E>>,
) -> Sum {
    let group = 4 * F::Native::<S>::LEN;
    let n = data.len();
    // (Elements are counted as they are read, block by block: `placed` is where they are.)
    let from_end = data.course().from_end;
    let first = if hint.is_some() {
        *hint
    } else if F::NARROW {
        look::<S, E, F>(simd, data, group)
    } else if n <= GLANCE {
        Some(glance(data))
    } else {
        exponent_of_all::<S, E, F>(simd, data, placed(0..group, n, from_end))
    };
    let first =
        first.and_then(|exponent| Some((exponent, Anchors::<F>::new(exponent, has_fma(simd))?)));
    let Some((exponent, mut anchors)) = first else {
        return if F::NARROW { Sum::Widen(0..n, 0) } else { Sum::Unknown };
    };
    let nothing = |anchors: &Anchors<F>| {
        let unit = if TWO { anchors.unit2 } else { anchors.unit1 };
        Bounded { sum: 0, bound: 0, unit: unit + F::DOWN }
    };
    let (mut total, mut in_total, mut at) = (nothing(&anchors), 0, 0);
    let mut left_out = 0;
    let head = if n >= WORTH_ALIGNING {
        let bytes = F::Native::<S>::LEN * size_of::<F>();
        let before = data.before_aligned(bytes);
        if from_end {
            (n - before) % (bytes / size_of::<E>())
        } else {
            before
        }
    } else {
        0
    };
    let zero = Bits::<S, F>::splat(simd, F::low(0));
    // How blocks are read, if not in order. (For what is read once more, with the flag, it is not worth the code; and what
    // is read from the end is from far, but not so far.)
    let slice = if FLAG || from_end { None } else { data.slice() };
    let streams = slice.is_some_and(|slice| in_streams(size_of_val(slice)));
    let mut in_order_until = if streams { head } else { usize::MAX };
    let twice = slice.filter(|slice| reads_twice::<S, E, F>(simd, slice));
    let (stretch, whole) = (STREAMS * apart::<S, F>(), F::ROUNDS * group);
    loop {
        let (mut lanes1, mut lanes2, mut inexact) = (zero, zero, 0);
        let (before, in_before, from, left_out_before) = (total, in_total, at, left_out);
        let (mut blocks, mut failed) = (0, false);
        while blocks < BLOCKS && !failed && at < n {
            let rest = n - at;
            // (A group stays for what follows, which may have to go on in other lanes.)
            let usable = rest.saturating_sub(group);
            if let (Some(slice), true) = (slice, at >= in_order_until && usable >= stretch) {
                if blocks + STRETCH > BLOCKS {
                    break;
                }
                match stretch_in_streams::<S, E, F, TWO>(simd, &anchors, slice, at) {
                    Some(sums) => {
                        lanes1 += sums[0];
                        lanes2 += sums[1];
                        inexact += stretch as u64;
                        at += stretch;
                        blocks += STRETCH;
                    }
                    // Once more in order: then what is before an element that does not fit is all that was added.
                    None => in_order_until = at + stretch,
                }
                continue;
            }
            let wanted = (BLOCKS - blocks).min(usable / whole);
            if let (Some(slice), true) = (twice, at >= head && wanted > 0) {
                let slice = &slice[at..at + wanted * whole];
                let (sums, passed) = stretch_read_twice::<S, E, F, TWO>(simd, &anchors, slice);
                lanes1 += sums[0];
                lanes2 += sums[1];
                inexact += (passed * whole) as u64;
                at += passed * whole;
                blocks += passed;
                failed = passed < wanted;
                continue;
            }
            let groups = (rest / group).min(F::ROUNDS) * group;
            let (body, part) = if at < head {
                // The elements before the first aligned vector, or after the last: less than a group.
                (0, head)
            } else if rest - groups < group {
                // The last block, with its tail.
                (groups, rest - groups)
            } else {
                (groups, 0)
            };
            let (body, end) = (at..at + body, at + body + part);
            let part = placed(body.end..end, n, from_end);
            let sums = block::<S, E, F, _, FLAG, TWO>(
                simd,
                &anchors,
                data,
                placed(body, n, from_end),
                part,
            );
            let Some((sums, left_out_of_block)) = sums else {
                failed = true;
                break;
            };
            lanes1 += sums.lanes1;
            lanes2 += sums.lanes2;
            left_out += left_out_of_block;
            inexact += if sums.dropped { (end - at) as u64 } else { 0 };
            at = end;
            blocks += 1;
        }
        in_total += (at - from) as u64;
        let units1 = i128::from(across::<S, F>(lanes1));
        // u1 = 2^(p - 1 - L) u2
        let up = F::FRACTION_BITS as i32 - F::L;
        total.sum += if TWO { (units1 << up) + i128::from(across::<S, F>(lanes2)) } else { units1 };
        // On a grid as fine as the elements' own nothing is dropped.
        if total.unit > E::MIN_EXPONENT {
            total.bound += u128::from(bound(inexact, anchors.lossy));
        }
        // A mean below 2^`log` of the grid's units, if they drop anything.
        let small =
            |log: u32| total.bound != 0 && total.sum.unsigned_abs() >> log < u128::from(in_total);
        let log = E::FRACTION_BITS + F::SPARE;
        if F::NARROW {
            // On one grid so far, all of it may have dropped too much already; else these blocks. At the
            // end, the certificate is worth a try.
            let (from, left_out) = if digits.is_none() { (0, 0) } else { (from, left_out_before) };
            let log = if at == n { log - 3 } else { log };
            if !failed && small(log) {
                if from != 0 && in_before != 0 {
                    store(digits, &before);
                }
                return Sum::Widen(placed(from..n, n, from_end), left_out);
            }
        }
        if at == n {
            *hint = Some(anchors.exponent);
            return Sum::All(total, left_out);
        }
        let rest = n - at;
        let mut higher = None;
        if failed {
            let exponent = if F::NARROW {
                // Room for larger outliers, once: the grid is coarser for it.
                (anchors.exponent == exponent).then_some(exponent + RAISE)
            } else {
                // A group at least: the last one may begin before `at`.
                let end = at + (F::ROUNDS + 1) * group;
                let next = placed(at.min(n - group)..n.min(end), n, from_end);
                // Anchors for its maximum let the block pass, unless it holds a NaN.
                exponent_of_all::<S, E, F>(simd, data, next).filter(|&e| e > anchors.exponent)
            };
            higher = exponent.and_then(|exponent| Anchors::new(exponent, has_fma(simd)));
            if !F::NARROW && higher.is_none() {
                return Sum::Unknown;
            }
        }
        let widen = if F::NARROW {
            failed && higher.is_none()
        } else {
            !TWO && !failed && small(log) && rest >= WORTH_WIDENING
        };
        if (widen || failed || in_total >= TOTAL) && in_total != 0 {
            store(digits, &total);
            (total, in_total) = (nothing(&anchors), 0);
        }
        if widen {
            return Sum::Widen(placed(at..n, n, from_end), left_out);
        }
        if let Some(higher) = higher {
            anchors = higher;
            total = nothing(&anchors);
        }
    }
}

/// Where the elements of a range are, of `n` that are read from the end or not.
#[inline(always)]
fn placed(range: Range<usize>, n: usize, from_end: bool) -> Range<usize> {
    if from_end {
        n - range.end..n - range.start
    } else {
        range
    }
}

/// What `inexact` elements have dropped at most, in whole units of the last grid: half of one each,
/// and with lossy anchors less than one in all.
#[inline(always)]
fn bound(inexact: u64, lossy: bool) -> u64 {
    inexact.div_ceil(2) + u64::from(lossy)
}

/// Moves a total to the digits.
#[cold]
#[inline(never)]
fn store<E: Float>(digits: &mut Option<BoundedDigits<E>>, total: &Bounded) {
    digits.get_or_insert_with(BoundedDigits::new).add(total);
}

/// Where the windows of a block are: for |x| < 2^exponent.
struct Anchors<F> {
    exponent: i32,
    a1: F,
    a2: F,
    scale: F,
    /// Exponents of u1 and u2 in units of the elements.
    unit1: i32,
    unit2: i32,
    /// Whether scaling may round the smallest elements.
    lossy: bool,
}

impl<F: Lane> Anchors<F> {
    const BIAS: i32 = (F::SPECIAL / 2) as i32;

    #[inline(always)]
    fn new(exponent: i32, fma: bool) -> Option<Self> {
        let (bias, fraction) = (Self::BIAS, F::FRACTION_BITS as i32);
        let (biased, k) = if fma {
            // 256 or 128, so that three exponent bits or one are left to the anchor.
            let step = F::STEP;
            let least = exponent + 1 + F::L + bias;
            let biased = ((least + step - 1) & -step).clamp(step, 2 * bias + 2 - step);
            (biased, biased - least)
        } else {
            let exact = F::MIN_EXPONENT + 2 * fraction - 1 - 2 * F::L;
            (exponent.max(exact) + 1 + F::L + bias, 0)
        };
        if biased >= 2 * bias || bias + k < 1 {
            return None;
        }
        let power = |biased: i32| (biased as u64) << fraction;
        let anchor = |biased: i32| F::from_bits(power(biased) | 1 << (fraction - 1));
        let unit1 = biased - bias - fraction - k;
        Some(Self {
            exponent,
            a1: anchor(biased),
            a2: anchor(biased - fraction + F::L),
            scale: F::from_bits(power(bias + k)),
            unit1,
            unit2: unit1 - fraction + F::L,
            lossy: k < 0,
        })
    }
}

/// The exponent of eight elements: a guess, for few elements. Their lanes take so few steps that
/// elements 2^L / steps times as large still pass.
#[inline(always)]
fn glance<E: Float>(data: impl Source<E>) -> i32 {
    let step = data.len() / 8;
    let at = |k: usize| data.get(k * step).magnitude_bits();
    let low = at(0).max(at(1)).max(at(2).max(at(3)));
    let largest = low.max(at(4).max(at(5)).max(at(6).max(at(7))));
    (largest >> E::FRACTION_BITS).max(1) as i32 + E::MIN_EXPONENT + E::FRACTION_BITS as i32
}

/// Anchors' exponent for narrow lanes, where a sample from all over the data is mostly of one sign: the
/// e whose 2^e is 4/3 to 8/3 of the mean magnitude. So a lane's elements add up to 3/4 of what it
/// has room for, and an outlier may be 16 times 2^e.
#[inline(always)]
fn look<S: Simd, E: Float, F: Holds<E>>(
    simd: S,
    data: impl Source<E>,
    group: usize,
) -> Option<i32> {
    let zero = F::Native::<S>::splat(simd, F::signed(false, 0));
    let (mut sum, mut size) = (zero, zero);
    let step = data.len() / (SAMPLE / group);
    for part in 0..SAMPLE / group {
        let from = part * step + (step - group) / 2;
        data.for_groups::<S, F>(
            simd,
            from..from + group,
            #[inline(always)]
            |[a, b, c, d]| {
                sum += (a + b) + (c + d);
                size += (a.abs() + b.abs()) + (c.abs() + d.abs());
            },
        );
    }
    let (sum, size) = (sum.reduce_sum(), size.reduce_sum());
    let bias = Anchors::<F>::BIAS;
    // A quarter, for float32; the fewer bits an element has, the more the mean may cancel.
    let share = (bias + E::FRACTION_BITS as i32 - 25) as u64;
    let least = size * F::from_bits(share << F::FRACTION_BITS);
    if !(sum > least || -sum > least) {
        return None; // (a NaN, too)
    }
    let field = (size * F::from(4_u8) / F::from(3_u8)).magnitude_bits() >> F::FRACTION_BITS;
    Some((field as i32 + 1 - bias - SAMPLE.ilog2() as i32).max(1 - bias))
}

/// The exponent e with |x| < 2^e for all of a range, at least a group; `None` where one is infinite.
/// A NaN may hide: the test of the block sees it.
#[inline(always)]
fn exponent_of_all<S: Simd, E: Float, F: Holds<E>>(
    simd: S,
    data: impl Source<E>,
    range: Range<usize>,
) -> Option<i32> {
    let mut max = F::Native::<S>::splat(simd, F::signed(false, 0));
    let group = 4 * F::Native::<S>::LEN;
    let whole = range.start..range.end - range.len() % group;
    let last = range.end - group..range.end;
    for range in [whole, last] {
        data.for_groups::<S, F>(
            simd,
            range,
            #[inline(always)]
            |[a, b, c, d]| max = max.max(a.abs().max(b.abs()).max(c.abs().max(d.abs()))),
        );
    }
    let field = max.reduce_max().magnitude_bits() >> F::FRACTION_BITS;
    (field < F::SPECIAL).then_some(field.max(1) as i32 + 1 - Anchors::<F>::BIAS)
}

/// A block's sums in each lane, in units of u1 and of u2, and whether anything was dropped.
struct BlockSums<S: Simd, F: Lane> {
    lanes1: Bits<S, F>,
    lanes2: Bits<S, F>,
    dropped: bool,
}

/// The sums of one block: of whole groups, and of less than one; and how many elements were left out. `None` where
/// a lane left its binade.
#[inline(always)]
fn block<S: Simd, E: Float, F: Holds<E>, D: Source<E>, const FLAG: bool, const TWO: bool>(
    simd: S,
    anchors: &Anchors<F>,
    data: D,
    groups: Range<usize>,
    part: Range<usize>,
) -> Option<(BlockSums<S, F>, u64)> {
    let mut lanes = Lanes::<S, F>::new(simd, anchors);
    let mut left_out = data.for_groups::<S, F>(
        simd,
        groups,
        #[inline(always)]
        |four| lanes.step::<FLAG, TWO>(simd, four),
    );
    if !part.is_empty() {
        let (four, left_out_of_part) = data.part::<S, F>(simd, part);
        lanes.step::<FLAG, TWO>(simd, four);
        left_out += left_out_of_part;
    }
    Some((lanes.sums::<FLAG, TWO>(simd, anchors)?, left_out))
}

/// So many elements one stream begins after another.
#[inline(always)]
fn apart<S: Simd, F: Lane>() -> usize {
    STRETCH * in_stream::<S, F>()
}

/// So many elements of each stream are in a block: as good as all that it may have.
#[inline(always)]
fn in_stream<S: Simd, F: Lane>() -> usize {
    F::ROUNDS / STREAMS * 4 * F::Native::<S>::LEN
}

/// The sums of STRETCH blocks, in each lane, each of `in_stream` elements of each of the streams. `None` where a lane
/// left its binade. (A function of its own: what surrounds it would take its registers.)
#[inline(never)]
fn stretch_in_streams<S: Simd, E: Float, F: Holds<E>, const TWO: bool>(
    simd: S,
    anchors: &Anchors<F>,
    data: &[E],
    from: usize,
) -> Option<[Bits<S, F>; 2]> {
    simd.vectorize(
        #[inline(always)]
        || {
            let zero = Bits::<S, F>::splat(simd, F::low(0));
            let (mut lanes1, mut lanes2) = (zero, zero);
            let (in_stream, apart) = (in_stream::<S, F>(), apart::<S, F>());
            for first in (from..from + apart).step_by(in_stream) {
                let mut lanes = Lanes::<S, F>::new(simd, anchors);
                for_groups_in_streams(
                    data,
                    first..first + in_stream,
                    apart,
                    4 * F::Native::<S>::LEN,
                    #[inline(always)]
                    |four| lanes.step::<false, TWO>(simd, F::load(simd, four)),
                );
                let sums = lanes.sums::<false, TWO>(simd, anchors)?;
                lanes1 += sums.lanes1;
                lanes2 += sums.lanes2;
            }
            Some([lanes1, lanes2])
        },
    )
}

/// Whether elements are to be read twice: where they need no conversion, there are only 16 registers, and an FMA
/// overwrites one. Read once more, an element is an operand of the second FMA, too; and in a loop of two groups no
/// register is copied. So it is a quarter fewer instructions: they are the limit where two threads share a core.
#[inline(always)]
fn reads_twice<S: Simd, E: Float, F: Holds<E>>(simd: S, data: &[E]) -> bool {
    let few_registers = match simd.level() {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Level::Avx2(_) => true,
        _ => false,
    };
    let as_they_are = size_of::<E>() == size_of::<F>();
    let long = data.len() >= WORTH_ALIGNING;
    as_they_are && few_registers && long && Ahead::of(size_of_val(data)).is_none()
}

/// The sums of as many whole blocks as there are, in each lane, and how many these are: all up to one in which a lane
/// leaves its binade. (A function of its own, as above.)
#[inline(never)]
fn stretch_read_twice<S: Simd, E: Float, F: Holds<E>, const TWO: bool>(
    simd: S,
    anchors: &Anchors<F>,
    data: &[E],
) -> ([Bits<S, F>; 2], usize) {
    simd.vectorize(
        #[inline(always)]
        || {
            let zero = Bits::<S, F>::splat(simd, F::low(0));
            let (mut sums, mut passed) = ([zero; 2], 0);
            let len = 4 * F::Native::<S>::LEN;
            for block in data.chunks_exact(F::ROUNDS * len) {
                let mut lanes = Lanes::<S, F>::new(simd, anchors);
                for_groups_twice(
                    block,
                    len,
                    #[inline(always)]
                    |four, again| {
                        let again = F::load(simd, again);
                        lanes.step_again::<false, TWO>(simd, F::load(simd, four), again);
                    },
                );
                let Some(of_block) = lanes.sums::<false, TWO>(simd, anchors) else { break };
                sums = [sums[0] + of_block.lanes1, sums[1] + of_block.lanes2];
                passed += 1;
            }
            (sums, passed)
        },
    )
}

/// What a block keeps in registers: 4 vectors of T1, 4 of T2, the scale, and what the tests look at. Four, not
/// eight, so that AVX2's 16 registers hold them; they hide the latency of the additions.
struct Lanes<S: Simd, F: Lane> {
    t1: [F::Native<S>; 4],
    t2: [F::Native<S>; 4],
    seen: Bits<S, F>,
    dropped: Bits<S, F>,
    scale: F::Native<S>,
    a1: Bits<S, F>,
}

impl<S: Simd, F: Lane> Lanes<S, F> {
    #[inline(always)]
    fn new(simd: S, anchors: &Anchors<F>) -> Self {
        let splat = |x: F| F::Native::<S>::splat(simd, x);
        let (t1, zero) = (splat(anchors.a1), Bits::<S, F>::splat(simd, F::low(0)));
        Self {
            t1: [t1; 4],
            t2: [splat(anchors.a2); 4],
            seen: zero,
            dropped: zero,
            scale: splat(anchors.scale),
            a1: t1.to_bits(),
        }
    }

    /// Adds a group: see the top of this file. With FMA, two of the four additions are `mul_add`s, for
    /// which many cores have pipes of their own.
    #[inline(always)]
    fn step<const FLAG: bool, const TWO: bool>(&mut self, simd: S, x: [F::Native<S>; 4]) {
        self.step_again::<FLAG, TWO>(simd, x, x);
    }

    /// The same, of which each element is read twice.
    #[inline(always)]
    fn step_again<const FLAG: bool, const TWO: bool>(
        &mut self,
        simd: S,
        x: [F::Native<S>; 4],
        again: [F::Native<S>; 4],
    ) {
        let scale = self.scale;
        let add = |x: F::Native<S>, t: F::Native<S>| {
            if has_fma(simd) {
                x.mul_add(scale, t)
            } else {
                x + t
            }
        };
        for (i, (x, again)) in x.into_iter().zip(again).enumerate() {
            let t1 = self.t1[i];
            let t = add(x, t1);
            self.seen |= if has_fma(simd) && !FLAG { t.to_bits() } else { t.to_bits() ^ self.a1 };
            self.t1[i] = t;
            if TWO {
                let r = add(again, t1 - t);
                let t2 = self.t2[i];
                let u = t2 + r;
                self.t2[i] = u;
                if FLAG {
                    self.dropped |= (r + (t2 - u)).to_bits();
                }
            }
        }
    }

    /// What they hold in the end; `None` where one left its binade.
    #[inline(always)]
    fn sums<const FLAG: bool, const TWO: bool>(
        self,
        simd: S,
        anchors: &Anchors<F>,
    ) -> Option<BlockSums<S, F>> {
        let Self { t1, t2, seen, dropped, a1, .. } = self;
        let [t, u, v, w] = t1;
        let ends =
            (t.to_bits() ^ a1) | (u.to_bits() ^ a1) | (v.to_bits() ^ a1) | (w.to_bits() ^ a1);
        let place = F::SIGN | F::INFINITY;
        let tested =
            if has_fma(simd) && !FLAG { place & !Format::to_bits(anchors.a1) } else { place };
        if any::<S, F>((seen & F::low(tested)) | (ends & F::low(place))) {
            return None;
        }
        let sum = |[t, u, v, w]: [F::Native<S>; 4], anchor: F| {
            let sum = (t.to_bits() + u.to_bits()) + (v.to_bits() + w.to_bits());
            sum - F::low(Format::to_bits(anchor).wrapping_mul(4))
        };
        Some(BlockSums {
            lanes1: sum(t1, anchors.a1),
            lanes2: if TWO { sum(t2, anchors.a2) } else { Bits::<S, F>::splat(simd, F::low(0)) },
            dropped: !(FLAG && TWO) || anchors.lossy || any::<S, F>(dropped & F::low(!F::SIGN)),
        })
    }
}

/// Whether any bit is set. (An OR of the lanes: cheaper than a mask at every level.)
#[inline(always)]
fn any<S: Simd, F: Lane>(v: Bits<S, F>) -> bool {
    v.as_slice().iter().fold(F::low(0), |or, &lane| or | lane) != F::low(0)
}

/// The sum of the lanes, as two's complement.
#[inline(always)]
fn across<S: Simd, F: Lane>(v: Bits<S, F>) -> i64 {
    v.as_slice().iter().fold(0, |sum: i64, &lane| sum.wrapping_add(F::integer(lane)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_unit_is_rounded_up() {
        assert_eq!([0, 1, 2, 3].map(|inexact| bound(inexact, false)), [0, 1, 1, 2]);
        assert_eq!([0, 1, 2, 3].map(|inexact| bound(inexact, true)), [1, 2, 2, 3]);
    }
}
