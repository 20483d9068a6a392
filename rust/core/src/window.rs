//! The kernel: the sum in float64 lanes, exact but for a bound on what was dropped.
//!
//! # The arithmetic, and why it is exact
//!
//! Write X = s x for an element x times the anchors' power of two s (1 where there is no FMA), and
//! E for the exponent of the first anchor A1 = 1.5 * 2^E. A lane holds T1, at first A1. A step is
//!
//! ```text
//! t = RN(T1 + X)    d = T1 - t    r = X + d    T1 = t    T2 = RN(T2 + r)
//! ```
//!
//! with X never formed: RN(T1 + s x) and s x + d are one `mul_add` each. Every t is tested (below)
//! to be in [2^E, 2^(E+1)). Given that, as in Dekker's and Veltkamp's extraction (Rump, Ogita,
//! Oishi, "Accurate floating-point summation, part I", 2008):
//!
//! - The grid of that binade is u1 = 2^(E-52). d is a multiple of u1 below 2^E: exact.
//! - r is the error of rounding T1 + X to t, so it is representable (X is: s >= 1 does not
//!   underflow; were X to overflow, t would be infinite and fail the test). So r is exact and |r|
//!   <= u1 / 2. **No bound on |x| is used**: only the place of t matters.
//! - The second anchor is A2 = 1.5 * 2^E2 with E2 = E - 52 + L, and a lane takes fewer than 2^L
//!   steps in a block. So the r's of a block add up to less than 2^L u1 / 2 = 2^(E2-1), and T2
//!   stays in its binade untested. A step drops at most u2 / 2 of r, where u2 = 2^(E2-52). With one
//!   window it drops r, at most u1 / 2.
//! - So bits(T1) - bits(A1), as integers, is the sum of the lane's X - r in units of u1, exactly;
//!   and T2's is the sum of its r's, less what was dropped, in units of u2.
//!
//! # The test
//!
//! With the exactness flag, or without FMA, `seen |= bits(t) ^ bits(A1)` against sign and exponent
//! is all there is to it.
//!
//! With FMA and no flag, s makes A1's BIASED exponent a multiple of 256, and `seen |= bits(t)` is
//! tested against the sign and those exponent bits that A1 has not: half an operation a vector
//! where there is three-way logic. A negative t has the sign; NaN and inf have all exponent bits; a
//! higher exponent has a bit that A1's has not, and so has one lower by 1 to 255 (its low eight
//! bits are not 0). Out of the binade into something lower still comes only +0: |t| < 2^(E-1) takes
//! |X| > 2^(E-1), so T1, X and t are multiples of 2^(E-53). So the only way out unseen is X = -T1,
//! t = +0, r = 0. From there the next t = X is in the binade (r = 0), or seen, or some V > 0 below
//! 2^(E-255) whose exponent is made of A1's bits. After such a V, a t in the binade is X itself and
//! V is lost; a t as small as V has at most all of it lost. Either way the step loses less than
//! 2^(E-253): far less than the u2 / 2 that it is charged with, since its r is 0 or as small. So
//! the bound holds. The flag would not, which is why it goes with the full test.
//!
//! A T1 that ends a block outside its binade is caught by the test of the ends.
//!
//! # The anchors for an exponent e (|x| < 2^e expected, not required)
//!
//! E - k = e + 1 + L, with s = 2^k: fewer than 2^L elements below 2^e add up to less than 2^(E-1)
//! (each rounds to at most 2^e, a multiple of u1), so a block whose maximum is below 2^e ALWAYS
//! passes. In units of the elements, u1 = 2^(e+L-51) and u2 = 2^(e+2L-103).
//!
//! - FMA: the biased E is the least of 256, 512 .. 1792 with k >= 0. 256 keeps T2's grid normal.
//!   Above e = 768 - L k is negative, down to -256 - L: then a tiny X may be rounded by at most
//!   2^-1075. Such anchors are `lossy`: the flag is not believed, and the bound is doubled,
//!   generously. So there is no top clamp: 1e308 has a window.
//! - No FMA: E = e + 1 + L, at most 1022 (one lower than need be), else there are no anchors and
//!   the exact path decides; and e >= -971 - 2L, where u2 = 2^-1074 and nothing is dropped.
//!
//! # Headroom
//!
//! A lane's T1 - A1 and T2 - A2 lie within 2^51 units; an i64 lane adds 4 of them a block for at
//! most BLOCKS = 64 blocks, 2^59, and at most 8 lanes make 2^62. In the i128 total u1 is 2^(52-L)
//! u2, so a block of ROUNDS * 4 * lanes elements is at most 4 * lanes * 2^51 * 2^(52-L) units of
//! u2, or less than 2^88 an element (a head or tail is at most 31 elements of 2^95 each): before
//! 2^36 elements and a flush, 2^125, it moves to digits.

use crate::certificate::{Bounded, BoundedDigits};
use crate::element::Float;
use fearless_simd::{prelude::*, Level, Simd};

/// A lane takes fewer than 2^L steps in a block.
const L: i32 = 8;
/// Groups of four vectors in a block; a tail adds one. So many that what ends a block costs little.
const ROUNDS: usize = 248;
const _: () = assert!(ROUNDS + 1 < 1 << L);
/// Blocks between two flushes of the i64 lanes.
const BLOCKS: usize = 64;
/// Elements between two flushes of the total into digits. (No array of a test has so many.)
const TOTAL: u64 = if cfg!(test) { 1 << 12 } else { 1 << 36 };
/// Up to so many elements, eight of them tell the first anchors; beyond, the first group.
const GLANCE: usize = 1024;
/// From so many elements on, loads are aligned to vectors.
const WORTH_ALIGNING: usize = 1 << 12;
/// With fewer elements left it is not worth while to widen to two windows.
const WORTH_WIDENING: usize = 1 << 18;

const SIGN: u64 = 1 << 63;
const EXPONENT: u64 = 0x7ff << 52;

/// How far the kernel came.
pub(crate) enum Sum {
    /// All of it is in this sum, and in the earlier grids' digits where there are some.
    All(Bounded),
    /// One window drops too much for this mean: two are to go on from this element, and the digits
    /// hold what came before.
    Widen(usize),
    /// An element is not finite, or has no anchors: the exact path decides.
    Unknown,
}

/// The sum of `data`, which holds at least one group of four vectors. What does not fit one grid
/// goes to `digits`. With `FLAG` the bound counts only blocks in which anything was dropped.
#[inline(always)]
pub(crate) fn sum<S: Simd, E: Float, const FLAG: bool, const TWO: bool>(
    simd: S,
    data: &[E],
    digits: &mut Option<BoundedDigits<E>>,
) -> Sum {
    if has_fma(simd) {
        sum_blocks::<S, E, FLAG, TWO, true>(simd, data, digits)
    } else {
        sum_blocks::<S, E, FLAG, TWO, false>(simd, data, digits)
    }
}

/// Whether the level has fused multiply-add in hardware (else `mul_add` is a call for each lane).
#[inline(always)]
fn has_fma<S: Simd>(simd: S) -> bool {
    match simd.level() {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Level::Avx2(_) | Level::Avx512(_) => true,
        #[cfg(target_arch = "aarch64")]
        Level::Neon(_) => true,
        _ => false,
    }
}

#[inline(always)]
fn sum_blocks<S: Simd, E: Float, const FLAG: bool, const TWO: bool, const FMA: bool>(
    simd: S,
    data: &[E],
    digits: &mut Option<BoundedDigits<E>>,
) -> Sum {
    let group = 4 * S::f64s::LEN;
    let full = ROUNDS * group;
    let few = data.len() <= GLANCE;
    let first = if few { Some(glance(data)) } else { exponent_of_all(simd, &data[..group], group) };
    let Some(mut anchors) = first.and_then(|exponent| Anchors::new(exponent, FMA)) else {
        return Sum::Unknown;
    };
    let nothing = |anchors: &Anchors| {
        let unit = if TWO { anchors.unit2 } else { anchors.unit1 };
        Bounded { sum: 0, bound: 0, unit }
    };
    let (mut total, mut in_total, mut at) = (nothing(&anchors), 0, 0);
    let vector_bytes = 8 * S::f64s::LEN;
    let head = match data.as_ptr().addr() % vector_bytes {
        past if past > 0 && data.len() >= WORTH_ALIGNING => (vector_bytes - past) / size_of::<E>(),
        _ => 0,
    };
    let zero = S::u64s::splat(simd, 0);
    loop {
        let (mut lanes1, mut lanes2, mut inexact, from) = (zero, zero, 0, at);
        let mut failed = false;
        for _ in 0..BLOCKS {
            let rest = &data[at..];
            let groups = (rest.len() / group).min(ROUNDS);
            let after = rest.len() - groups * group;
            let (body, part, len) = if at < head {
                // The elements before the first aligned vector: the first group in part.
                (&rest[..0], Some((&data[..group], 2 * MOST - head)), head)
            } else if (1..group).contains(&after) {
                // The last block, with its tail: the last group without the lanes seen before.
                let last = &data[data.len() - group..];
                (&rest[..groups * group], Some((last, MOST - (group - after))), rest.len())
            } else {
                (&rest[..groups * group], None, groups * group)
            };
            let Some(sums) = block::<S, E, FLAG, TWO, FMA>(simd, &anchors, body, part) else {
                failed = true;
                break;
            };
            lanes1 += sums.lanes1;
            lanes2 += sums.lanes2;
            inexact += if sums.dropped { len as u64 } else { 0 };
            at += len;
            if at == data.len() {
                break;
            }
        }
        in_total += (at - from) as u64;
        let units1 = i128::from(across::<S>(lanes1));
        // u1 = 2^(52 - L) u2
        total.sum +=
            if TWO { (units1 << (52 - L)) + i128::from(across::<S>(lanes2)) } else { units1 };
        total.bound += u128::from(bound(inexact, anchors.lossy));
        if at == data.len() {
            return Sum::All(total);
        }
        // A float32 mean below 2^33 u1 has a spacing below 2^10 u1, and a bound of u1 / 2 would meet
        // a midpoint more than once in 2^10 times: zero-mean data, of which the second half need
        // not be read twice.
        let small = total.sum.unsigned_abs() >> 33 < u128::from(in_total);
        let widen = !TWO && !failed && small && data.len() - at >= WORTH_WIDENING;
        if (widen || failed || in_total >= TOTAL) && in_total != 0 {
            store(digits, &total);
            (total, in_total) = (nothing(&anchors), 0);
        }
        if widen {
            return Sum::Widen(at);
        }
        if failed {
            // A group at least: the last one may begin before `at`.
            let next = &data[at.min(data.len() - group)..data.len().min(at + full + group)];
            // Anchors for its maximum let the block pass, unless it holds a NaN.
            match exponent_of_all(simd, next, group) {
                Some(exponent) if exponent > anchors.exponent => {
                    match Anchors::new(exponent, FMA) {
                        Some(higher) => anchors = higher,
                        None => return Sum::Unknown,
                    }
                }
                _ => return Sum::Unknown,
            }
            total = nothing(&anchors);
        }
    }
}

/// What `inexact` elements have dropped at most, in whole units of the last grid: half of one each,
/// or one each of lossy anchors.
#[inline(always)]
fn bound(inexact: u64, lossy: bool) -> u64 {
    if lossy {
        inexact
    } else {
        inexact.div_ceil(2)
    }
}

/// Moves a total to the digits.
#[cold]
#[inline(never)]
fn store<E: Float>(digits: &mut Option<BoundedDigits<E>>, total: &Bounded) {
    digits.get_or_insert_with(BoundedDigits::new).add(total);
}

/// Where the windows of a block are: for |x| < 2^exponent.
struct Anchors {
    exponent: i32,
    a1: f64,
    a2: f64,
    scale: f64,
    /// Exponents of u1 and u2 in units of the elements.
    unit1: i32,
    unit2: i32,
    /// Whether scaling may round the smallest elements.
    lossy: bool,
}

impl Anchors {
    #[inline(always)]
    fn new(exponent: i32, fma: bool) -> Option<Self> {
        const BIAS: i32 = 1023;
        let (biased, k) = if fma {
            let least = exponent + 1 + L + BIAS;
            let biased = ((least + 255) & !255).clamp(256, 1792);
            (biased, biased - least)
        } else {
            let least = exponent.max(-971 - 2 * L) + 1 + L;
            if least > 1022 {
                return None;
            }
            (least + BIAS, 0)
        };
        let power = |biased: i32| (biased as u64) << 52;
        let anchor = |biased: i32| f64::from_bits(power(biased) | 1 << 51);
        let unit1 = biased - BIAS - 52 - k;
        Some(Self {
            exponent,
            a1: anchor(biased),
            a2: anchor(biased - 52 + L),
            scale: f64::from_bits(power(BIAS + k)),
            unit1,
            unit2: unit1 - 52 + L,
            lossy: k < 0,
        })
    }
}

/// The exponent of eight elements: a guess, for few elements. Their lanes take so few steps that
/// elements 2^L / steps times as large still pass.
#[inline(always)]
fn glance<E: Float>(data: &[E]) -> i32 {
    let step = data.len() / 8;
    let at = |k: usize| data[k * step].magnitude_bits();
    let low = at(0).max(at(1)).max(at(2).max(at(3)));
    let largest = low.max(at(4).max(at(5)).max(at(6).max(at(7))));
    (largest >> E::FRACTION_BITS).max(1) as i32 + E::MIN_EXPONENT + E::FRACTION_BITS as i32
}

/// The exponent e with |x| < 2^e for all of `data`, at least a group; `None` where one is infinite.
/// A NaN may hide: the test of the block sees it.
#[inline(always)]
fn exponent_of_all<S: Simd, E: Float>(simd: S, data: &[E], group: usize) -> Option<i32> {
    let mut max = S::f64s::splat(simd, 0.0);
    let last = &data[data.len() - group..];
    for four in data.chunks_exact(group).chain([last]) {
        let [a, b, c, d] = E::load(simd, four);
        max = max.max(a.abs().max(b.abs()).max(c.abs().max(d.abs())));
    }
    let field = (max.reduce_max().to_bits() & EXPONENT) >> 52;
    (field < 2047).then_some(field.max(1) as i32 - 1022)
}

/// A block's sums in each lane, in units of u1 and of u2, and whether anything was dropped.
struct BlockSums<S: Simd> {
    lanes1: S::u64s,
    lanes2: S::u64s,
    dropped: bool,
}

/// The sums of one block: whole groups, and a group in part with its place in `KEEP`. `None` where a
/// lane left its binade.
#[inline(always)]
fn block<S: Simd, E: Float, const FLAG: bool, const TWO: bool, const FMA: bool>(
    simd: S,
    anchors: &Anchors,
    groups: &[E],
    part: Option<(&[E], usize)>,
) -> Option<BlockSums<S>> {
    let len = S::f64s::LEN;
    let [a1, a2, scale] = [anchors.a1, anchors.a2, anchors.scale];
    let [a1, a2, scale] =
        [S::f64s::splat(simd, a1), S::f64s::splat(simd, a2), S::f64s::splat(simd, scale)];
    let zero = S::u64s::splat(simd, 0);
    let a1_bits = bits::<S>(a1);
    let mut lanes = Lanes::<S> { t1: [a1; 4], t2: [a2; 4], seen: zero, dropped: zero };
    for four in groups.chunks_exact(4 * len) {
        lanes.step::<FLAG, TWO, FMA>(E::load(simd, four), scale, a1_bits);
    }
    if let Some((four, place)) = part {
        let keep = &KEEP[place..][..4 * len];
        let [a, b, c, d] = E::load(simd, four);
        let [i, j, k] = [len, 2 * len, 3 * len];
        let kept = [
            and::<S>(simd, a, &keep[..i]),
            and::<S>(simd, b, &keep[i..j]),
            and::<S>(simd, c, &keep[j..k]),
            and::<S>(simd, d, &keep[k..]),
        ];
        lanes.step::<FLAG, TWO, FMA>(kept, scale, a1_bits);
    }
    let [t, u, v, w] = lanes.t1;
    let ends = (bits::<S>(t) ^ a1_bits)
        | (bits::<S>(u) ^ a1_bits)
        | (bits::<S>(v) ^ a1_bits)
        | (bits::<S>(w) ^ a1_bits);
    let place = SIGN | EXPONENT;
    let tested = if FMA && !FLAG { place & !anchors.a1.to_bits() } else { place };
    if any::<S>((lanes.seen & tested) | (ends & place)) {
        return None;
    }
    let sum = |[t, u, v, w]: [S::f64s; 4], anchor: f64| {
        let sum = (bits::<S>(t) + bits::<S>(u)) + (bits::<S>(v) + bits::<S>(w));
        sum - S::u64s::splat(simd, anchor.to_bits().wrapping_mul(4))
    };
    Some(BlockSums {
        lanes1: sum(lanes.t1, anchors.a1),
        lanes2: if TWO { sum(lanes.t2, anchors.a2) } else { zero },
        dropped: !FLAG || anchors.lossy || any::<S>(lanes.dropped & !SIGN),
    })
}

/// What a block keeps in registers: 4 vectors of T1, 4 of T2, and what the tests look at. Four, not
/// eight, so that AVX2's 16 registers hold them; they hide the latency of the additions.
struct Lanes<S: Simd> {
    t1: [S::f64s; 4],
    t2: [S::f64s; 4],
    seen: S::u64s,
    dropped: S::u64s,
}

impl<S: Simd> Lanes<S> {
    /// Adds a group: see the top of this file. With FMA, two of the four additions are `mul_add`s, for
    /// which many cores have pipes of their own.
    #[inline(always)]
    fn step<const FLAG: bool, const TWO: bool, const FMA: bool>(
        &mut self,
        x: [S::f64s; 4],
        scale: S::f64s,
        a1: S::u64s,
    ) {
        let add = |x: S::f64s, t: S::f64s| if FMA { x.mul_add(scale, t) } else { x + t };
        for (i, x) in x.into_iter().enumerate() {
            let t1 = self.t1[i];
            let t = add(x, t1);
            self.seen |= if FMA && !FLAG { bits::<S>(t) } else { bits::<S>(t) ^ a1 };
            self.t1[i] = t;
            if TWO {
                let r = add(x, t1 - t);
                let t2 = self.t2[i];
                let u = t2 + r;
                self.t2[i] = u;
                if FLAG {
                    self.dropped |= bits::<S>(r + (t2 - u));
                }
            }
        }
    }
}

#[inline(always)]
fn bits<S: Simd>(v: S::f64s) -> S::u64s {
    v.bitcast()
}

/// Whether any bit is set. (An OR of the lanes: cheaper than a mask at every level.)
#[inline(always)]
fn any<S: Simd>(v: S::u64s) -> bool {
    v.as_slice().iter().fold(0, |or, lane| or | lane) != 0
}

/// The sum of the lanes, as two's complement.
#[inline(always)]
fn across<S: Simd>(v: S::u64s) -> i64 {
    v.as_slice().iter().fold(0_u64, |sum, &lane| sum.wrapping_add(lane)) as i64
}

/// The most lanes in a group: 4 vectors of 512 bits.
const MOST: usize = 32;

/// From `MOST - k` on it drops the first k lanes of a group and keeps the rest; from `2 * MOST - k` on
/// it keeps the first k.
static KEEP: [u64; 3 * MOST] = {
    let mut keep = [0; 3 * MOST];
    let mut lane = MOST;
    while lane < 2 * MOST {
        keep[lane] = !0;
        lane += 1;
    }
    keep
};

#[inline(always)]
fn and<S: Simd>(simd: S, v: S::f64s, keep: &[u64]) -> S::f64s {
    (bits::<S>(v) & S::u64s::from_slice(simd, keep)).bitcast()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_unit_is_rounded_up() {
        assert_eq!([0, 1, 2, 3].map(|inexact| bound(inexact, false)), [0, 1, 1, 2]);
        assert_eq!([0, 1, 2, 3].map(|inexact| bound(inexact, true)), [0, 1, 2, 3]);
    }
}
