//! The columns of a few rows: sums that prove themselves exact, without an anchor.
//!
//! # An addition that is exact
//!
//! Let s = RN(a + b). If RN(s - a) = b and RN(s - b) = a, then s = a + b: for |a| >= |b| the first
//! difference, and for |b| >= |a| the second, is exact (Dekker 1971; of finite numbers, without
//! overflow). The converse is plain. Whether both are the same numbers is a matter of bits, but for
//! the sign of a zero; and a number that differs in nothing but the sign would have to be b with
//! s = a - b = RN(a + b), which is no nearest number to a + b, as a is nearer, unless b is 0 (or
//! the same with a). So signs are not looked at.
//!
//! # The sum
//!
//! Elements of 24 bits and fewer are added in float64 lanes, and none but one of 2^-28 of the sum, or so,
//! could be rounded. Those of float64 are added by TwoSum (Knuth), which leaves errors, and it is these
//! that are added so: S = high + low. A group in which an addition is rounded goes to the anchors
//! (`tile.rs`). So does one that has no mean: what overflows, even on the way, is infinite or NaN in
//! `high` or in `low` for good, and of these no mean is proved. (Otherwise |low| < 2^973, and TwoSum of
//! high and low does not overflow on the way.)
//! `high` starts with +0.0 + x, so that no zero in it is negative.
//!
//! For more rows than a block's this is slower than the anchors, which cost once what a row costs here.

use crate::element::Float;
use crate::format::Format;
use crate::tile::{any, bits};
use fearless_simd::{prelude::*, Simd};

/// The exact sums of a group's columns, high and low parts; `None` where that is not proved. `one` is a 1
/// that the compiler does not know.
#[inline(always)]
pub(crate) fn sums<S: Simd, E: Float>(
    simd: S,
    one: f64,
    rows: &[&[E]],
    at: usize,
) -> Option<[[S::f64s; 4]; 2]> {
    let zero = S::f64s::splat(simd, 0.0);
    let one = S::f64s::splat(simd, one);
    let (first, others) = rows.split_first()?;
    let end = at + 4 * S::f64s::LEN;
    let mut high = E::load(simd, &first[at..end]);
    for high in &mut high {
        *high += zero;
    }
    let mut low = [zero; 4];
    let mut changed = S::u64s::splat(simd, 0);
    for row in others {
        for ((high, low), x) in high.iter_mut().zip(&mut low).zip(E::load(simd, &row[at..end])) {
            if E::BINARY.is_narrow() {
                *high = add::<S>(*high, x, one, &mut changed);
            } else {
                // (Half the additions by `mul_add`: many cores have pipes of their own for it.)
                let sum = *high + x;
                let part = sum.mul_sub(one, *high);
                let error = high.mul_sub(one, sum - part).mul_add(one, x - part);
                *high = sum;
                *low = add::<S>(*low, error, one, &mut changed);
            }
        }
    }
    let same = !any::<S>(changed & S::u64s::splat(simd, !<f64 as Format>::SIGN));
    same.then_some([high, low])
}

/// a + b, and bits in `changed`, besides the sign, where that is rounded.
#[inline(always)]
fn add<S: Simd>(a: S::f64s, b: S::f64s, one: S::f64s, changed: &mut S::u64s) -> S::f64s {
    let sum = a + b;
    *changed |= bits::<S>(sum.mul_sub(one, a)) ^ bits::<S>(b);
    *changed |= bits::<S>(sum - b) ^ bits::<S>(a);
    sum
}
