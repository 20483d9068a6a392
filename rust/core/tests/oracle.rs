//! The exact path against big rational arithmetic.
//!
//! The mean is not computed a second time but checked against its definition: r = RN(m) exactly
//! when m lies between the midpoints of r and its two neighbours, on a midpoint only if r is even.

use dashu_int::IBig;
use mean_core::{exact_mean, levels, mean, Float};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Release mode is for breadth; the debug run, some 50 times slower, is for its overflow checks.
const CASES: u32 = if cfg!(debug_assertions) { 2_000 } else { 100_000 };

/// Elements of the formats under test, with the neighbours that the definition needs.
trait Tested: Float + Into<f64> + std::ops::Add<Output = Self> + std::fmt::Debug + 'static {}
impl Tested for f32 {}
impl Tested for f64 {}

/// Twice the exact value, in the smallest subnormals of float64; an infinity stands for the power
/// of two that follows the largest finite number, as in IEEE 754's rule for rounding to it.
fn twice<F: Tested>(x: F) -> IBig {
    let max_exponent = if F::BITS == 32 { 128 } else { 1024 };
    let x: f64 = x.into(); // exact
    let bits = x.to_bits();
    let (exponent, fraction) = ((bits >> 52 & 0x7ff) as usize, bits & ((1 << 52) - 1));
    assert!(!x.is_nan(), "the mean of finite numbers is a NaN");
    let magnitude: IBig = match exponent {
        0x7ff => IBig::ONE << (max_exponent + 1074),
        0 => IBig::from(fraction),
        _ => IBig::from(fraction | 1 << 52) << (exponent - 1),
    };
    let twice: IBig = magnitude * 2;
    if x.is_sign_negative() {
        -twice
    } else {
        twice
    }
}

/// Asserts that `result` is the mean of `data` (finite), by the definition of rounding.
fn check<F: Tested>(data: &[F], result: F) {
    let n = IBig::from(data.len());
    let sum: IBig = data.iter().map(|&x| twice(x)).sum::<IBig>();
    let bits = result.to_bits();
    let negative = bits >> (F::BITS - 1) != 0;
    if sum == IBig::ZERO {
        assert_eq!(bits, 0, "an exact zero is +0.0: {data:?}");
        return;
    }
    assert_eq!(negative, sum < IBig::ZERO, "sign of {result:?}: {data:?}");
    let magnitude_bits = bits & (u64::MAX >> (65 - F::BITS));
    let of = |bits| twice(F::from_bits(bits));
    let sum = if negative { -sum } else { sum };
    let value = of(magnitude_bits);
    let above = of(magnitude_bits + 1);
    let even = magnitude_bits & 1 == 0;
    // 2 * mean = sum / n; the midpoint of 2a and 2b is a + b; all times 2n.
    let upper = (&value + above) * &n;
    let doubled = sum * 2;
    assert!(doubled < upper || (even && doubled == upper), "{result:?} is too small for {data:?}");
    if magnitude_bits > 0 {
        let lower = (value + of(magnitude_bits - 1)) * n;
        assert!(
            doubled > lower || (even && doubled == lower),
            "{result:?} is too large for {data:?}"
        );
    }
}

/// A finite number of any exponent in `exponents` (biased), with a significand of a few or of all
/// bits: sums of the sparse ones tie often.
fn number<F: Tested>(exponents: std::ops::Range<u64>) -> impl Strategy<Value = F> {
    let sparse = (0..F::FRACTION_BITS, 0..4_u64).prop_map(|(at, bits)| bits << at);
    let fraction = prop_oneof![sparse, any::<u64>()];
    (any::<bool>(), exponents, fraction).prop_map(|(negative, exponent, fraction)| {
        let fraction = fraction & ((1 << F::FRACTION_BITS) - 1);
        F::signed(negative, exponent << F::FRACTION_BITS | fraction)
    })
}

/// Numbers whose exponents lie in a window of some width anywhere: from equal to the whole range.
fn windows<F: Tested>() -> impl Strategy<Value = Vec<F>> {
    let widths = select(vec![1, 2, 30, 64, 200, F::SPECIAL]);
    // Now and then several chunks between carries, and divisors beyond the small ones.
    let lengths = prop_oneof![199 => 1..20_usize, 1 => 500..3000_usize];
    (widths, 0..F::SPECIAL, lengths)
        .prop_flat_map(|(width, from, n)| vec(number(from..F::SPECIAL.min(from + width)), n))
}

fn negate<F: Tested>(x: F) -> F {
    F::from_bits(x.to_bits() ^ 1 << (F::BITS - 1))
}

/// Everything cancels but a few small numbers.
fn cancelling<F: Tested>() -> impl Strategy<Value = Vec<F>> {
    (windows::<F>(), vec(number(0..40), 0..4)).prop_map(|(large, small)| {
        let opposite = large.iter().map(|&x| negate(x)).rev();
        opposite.chain(small).chain(large.iter().copied()).collect()
    })
}

/// Numbers whose mean is exactly between two neighbours, or a smallest subnormal beside that:
/// k of each neighbour, two more of each as doubles, a zero, and the perturbation.
fn ties<F: Tested>() -> impl Strategy<Value = Vec<F>> {
    let perturbation = select(vec![0, 1, 1 << (F::BITS - 1) | 1]);
    (number::<F>(0..F::SPECIAL - 2), 0..8_usize, perturbation).prop_map(|(x, k, perturbation)| {
        let next = F::from_bits(x.to_bits() + 1);
        let mut data = vec![x; k];
        data.resize(2 * k, next);
        data.extend([x + x, next + next, F::signed(false, 0)]);
        data.push(F::from_bits(perturbation));
        data
    })
}

/// Any bit pattern: every special value among the others.
fn any_bits<F: Tested>() -> impl Strategy<Value = Vec<F>> {
    vec(any::<u64>().prop_map(|bits| F::from_bits(bits >> (64 - F::BITS))), 1..20)
}

/// The rules for special values, then the definition of rounding.
fn check_any<F: Tested>(data: &[F], result: F) {
    let values: Vec<f64> = data.iter().map(|&x| x.into()).collect();
    let nan = values.iter().any(|x| x.is_nan());
    let special = match (nan, values.contains(&f64::INFINITY), values.contains(&-f64::INFINITY)) {
        (false, false, false) => return check(data, result),
        (false, true, false) => F::infinity(false),
        (false, false, true) => F::infinity(true),
        _ => F::nan(),
    };
    assert_eq!(result.to_bits(), special.to_bits(), "{data:?}");
}

fn subnormals<F: Tested>() -> impl Strategy<Value = Vec<F>> {
    vec(number(0..3), 1..20)
}

fn huge_values<F: Tested>() -> impl Strategy<Value = Vec<F>> {
    vec(number(F::SPECIAL - 3..F::SPECIAL), 1..20)
}

fn constants<F: Tested>() -> impl Strategy<Value = Vec<F>> {
    (1..200_usize, number(0..F::SPECIAL)).prop_map(|(n, x)| vec![x; n])
}

fn assert_mean<F: Tested>(strategy: impl Strategy<Value = Vec<F>>) {
    let mut config = ProptestConfig::with_cases(CASES);
    config.failure_persistence = None;
    proptest!(config, |(data in strategy)| check_any(&data, exact_mean(&data).unwrap()));
}

macro_rules! against_the_definition {
    ($($float:ident: $($family:ident)*;)*) => {$(
        mod $float {
            $(#[test]
            fn $family() {
                super::assert_mean(super::$family::<$float>());
            })*
        }
    )*};
}

against_the_definition! {
    f32: windows cancelling ties subnormals huge_values constants any_bits;
    f64: windows cancelling ties subnormals huge_values constants any_bits;
}

fn special_values<F: Tested>() {
    let [inf, minus_inf] = [false, true].map(F::infinity);
    let one = F::signed(false, (F::SPECIAL / 2) << F::FRACTION_BITS);
    let negative_nan = F::from_bits(!0 >> (64 - F::BITS));
    let zero = F::signed(false, 0);
    let minus_zero = F::signed(true, 0);
    let tiniest = F::signed(true, 1);
    let bits = |data: &[F]| exact_mean(data).map(F::to_bits);
    let expect = |data: &[F], expected: F| {
        assert_eq!(bits(data), Some(expected.to_bits()));
        for (name, level) in levels() {
            assert_eq!(mean(level, data).map(F::to_bits), bits(data), "{name}");
        }
    };

    assert_eq!(bits(&[]), None);
    for x in [one, inf, minus_inf, zero, tiniest, F::nan()] {
        expect(&[x], x);
    }
    expect(&[negative_nan], F::nan());
    expect(&[inf, one, negative_nan], F::nan());
    expect(&[inf, one, minus_inf], F::nan());
    expect(&[one, inf, one, inf], inf);
    expect(&[minus_inf, one], minus_inf);
    expect(&[minus_zero], zero);
    expect(&[minus_zero, minus_zero], zero);
    expect(&[one, negate(one)], zero);
    expect(&[tiniest, zero, zero], minus_zero); // underflows
    expect(&[tiniest, zero], minus_zero); // a tie with zero, which is even
    expect(&[tiniest, tiniest, zero], tiniest);
    let largest = F::from_bits(inf.to_bits() - 1);
    expect(&[largest; 1000], largest);
}

#[test]
fn special_values_float32() {
    special_values::<f32>();
}

#[test]
fn special_values_float64() {
    special_values::<f64>();
}
