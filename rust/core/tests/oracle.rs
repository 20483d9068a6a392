//! The exact path against big rational arithmetic.
//!
//! The mean is not computed a second time but checked against its definition: r = RN(m) exactly
//! when m lies between the midpoints of r and its two neighbours, on a midpoint only if r is even.

use dashu_int::IBig;
use mean_core::{exact_mean, levels, mean, Binary, Bool, Element, Float, Format, Level, Time};
use mean_core::{BF16, F16};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rand::{rngs::Xoshiro256PlusPlus, RngExt, SeedableRng};

const CASES: u32 = 100_000;

/// Elements of the formats under test, by other hands than the crate's.
trait Tested: Float + std::fmt::Debug + 'static {
    /// The numbers are below 2 to this.
    const MAX_EXPONENT: usize;

    fn value(self) -> f64; // exact
    fn nearest(x: f64) -> Self;
}

impl Tested for F16 {
    const MAX_EXPONENT: usize = 16;

    fn value(self) -> f64 {
        half::f16::from_bits(self.0).into()
    }
    fn nearest(x: f64) -> Self {
        Self(half::f16::from_f64(x).to_bits())
    }
}

impl Tested for BF16 {
    const MAX_EXPONENT: usize = 128;

    fn value(self) -> f64 {
        half::bf16::from_bits(self.0).into()
    }
    fn nearest(x: f64) -> Self {
        Self(half::bf16::from_f64(x).to_bits())
    }
}

impl Tested for f32 {
    const MAX_EXPONENT: usize = 128;

    fn value(self) -> f64 {
        self.into()
    }
    fn nearest(x: f64) -> Self {
        x as Self
    }
}

impl Tested for f64 {
    const MAX_EXPONENT: usize = 1024;

    fn value(self) -> f64 {
        self
    }
    fn nearest(x: f64) -> Self {
        x
    }
}

/// Twice the exact value, in the smallest subnormals of float64; an infinity stands for the power
/// of two that follows the largest finite number, as in IEEE 754's rule for rounding to it.
fn twice<F: Tested>(x: F) -> IBig {
    let max_exponent = F::MAX_EXPONENT;
    let x = x.value();
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

/// What the mean has to be.
enum Mean {
    /// NaN.
    Nan,
    /// An infinity, negative or not.
    Infinite(bool),
    /// What the definition of rounding says, of elements with twice this sum.
    OfTwice(IBig),
}

impl Mean {
    /// The rules for special values first.
    fn of<F: Tested>(data: &[F]) -> Self {
        let values = || data.iter().map(|&x| x.value());
        let has = |special: f64| values().any(|x| x == special);
        match (values().any(f64::is_nan), has(f64::INFINITY), has(-f64::INFINITY)) {
            (false, false, false) => Self::OfTwice(data.iter().map(|&x| twice(x)).sum()),
            (false, true, false) => Self::Infinite(false),
            (false, false, true) => Self::Infinite(true),
            _ => Self::Nan,
        }
    }
}

/// Asserts that `result` is the mean of `data`.
fn check<E: std::fmt::Debug, R: Tested>(data: &[E], mean: &Mean, result: R) {
    let special = match mean {
        Mean::OfTwice(sum) => return check_sum(data, sum, result),
        Mean::Infinite(negative) => R::infinity(*negative),
        Mean::Nan => R::nan(),
    };
    assert_eq!(result.to_bits(), special.to_bits(), "{data:?}");
}

/// Asserts that `result` is the mean of `data`, of which `sum` is twice the sum, by the definition of rounding.
fn check_sum<E: std::fmt::Debug, F: Tested>(data: &[E], sum: &IBig, result: F) {
    let n = IBig::from(data.len());
    let bits = result.to_bits();
    let negative = bits >> (F::BITS - 1) != 0;
    if *sum == IBig::ZERO {
        assert_eq!(bits, 0, "an exact zero is +0.0: {data:?}");
        return;
    }
    assert_eq!(negative, *sum < IBig::ZERO, "sign of {result:?}: {data:?}");
    let magnitude_bits = bits & (u64::MAX >> (65 - F::BITS));
    let of = |bits| twice(F::from_bits(bits));
    let value = of(magnitude_bits);
    let even = magnitude_bits & 1 == 0;
    // 2 * mean = sum / n; the midpoint of 2a and 2b is a + b; all times 2n.
    let doubled = if negative { sum * -2 } else { sum * 2 };
    if magnitude_bits != F::INFINITY {
        let upper = (&value + of(magnitude_bits + 1)) * &n;
        let ok = doubled < upper || (even && doubled == upper);
        assert!(ok, "{result:?} is too small for {data:?}");
    }
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
        data.extend([x, next].map(|x| F::nearest(2.0 * x.value())));
        data.push(F::signed(false, 0));
        data.push(F::from_bits(perturbation));
        data
    })
}

/// Any bit pattern: every special value among the others.
fn any_bits<F: Tested>() -> impl Strategy<Value = Vec<F>> {
    vec(any::<u64>().prop_map(|bits| F::from_bits(bits >> (64 - F::BITS))), 1..20)
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
    let levels = levels();
    proptest!(config, |(data in strategy)| {
        let mean = Mean::of(&data);
        check(&data, &mean, exact_mean(&data).unwrap());
        let (_, level) = levels[data.len() % levels.len()];
        check_formats(level, &data, &mean);
    });
}

/// Checks the means in every format, also those wider and narrower than the elements'.
fn check_formats<E: Element + std::fmt::Debug>(level: Level, data: &[E], mean: &Mean) {
    for by in [E::mean_bits, E::mean_of_tie] {
        let bits = |format| by(level, data, data.len() as u64, format);
        check(data, mean, F16::from_bits(bits(Binary::B16)));
        check(data, mean, BF16::from_bits(bits(Binary::BF16)));
        check(data, mean, f32::from_bits(bits(Binary::B32) as u32));
        check(data, mean, f64::from_bits(bits(Binary::B64)));
    }
}

macro_rules! against_the_definition {
    ($($module:ident, $float:ident: $($family:ident)*;)*) => {$(
        mod $module {
            $(#[test]
            fn $family() {
                use super::*;
                assert_mean(super::$family::<$float>());
            })*
        }
    )*};
}

against_the_definition! {
    float16, F16: windows cancelling ties subnormals huge_values constants any_bits;
    bfloat16, BF16: windows cancelling ties subnormals huge_values constants any_bits;
    float32, f32: windows cancelling ties subnormals huge_values constants any_bits;
    float64, f64: windows cancelling ties subnormals huge_values constants any_bits;
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
fn special_values_of_every_format() {
    special_values::<F16>();
    special_values::<BF16>();
    special_values::<f32>();
    special_values::<f64>();
}

/// Integers against the definition of rounding, at every level and in every format.
fn assert_integer_mean<E: Element + std::fmt::Debug>(data: &[E], value: impl Fn(&E) -> i128) {
    let sum: IBig = data.iter().map(|x| IBig::from(value(x))).sum();
    // In the smallest subnormals of float64.
    let mean = Mean::OfTwice(sum << 1075);
    for (_, level) in levels() {
        check_formats(level, data, &mean);
    }
}

macro_rules! integers {
    ($($element:ident)*) => {$(
        mod $element {
            use super::*;

            /// From all equal to the whole range, at either end of it or in the middle.
            fn data() -> impl Strategy<Value = Vec<$element>> {
                let bits = $element::BITS;
                let lengths = prop_oneof![99 => 1..200_usize, 1 => 200..3000_usize];
                (0..bits, select(vec![0, $element::MIN, $element::MAX]), lengths).prop_flat_map(
                    |(down, from, n)| {
                        let spread = any::<$element>();
                        vec(spread.prop_map(move |x| from.wrapping_add(x >> down)), n)
                    },
                )
            }

            #[test]
            fn the_definition_of_rounding() {
                let mut config = ProptestConfig::with_cases(CASES / 20);
                config.failure_persistence = None;
                proptest!(config, |(data in data())| {
                    assert_integer_mean(&data, |&x| i128::from(x));
                });
            }

            /// The elements before the first cache line, and those after it.
            #[test]
            fn every_alignment() {
                let mut random = Xoshiro256PlusPlus::seed_from_u64(0);
                let data: Vec<$element> = (0..5000).map(|_| random.random()).collect();
                for from in 0..=64 / size_of::<$element>() {
                    assert_integer_mean(&data[from..], |&x| i128::from(x));
                }
            }

            /// More elements of the extremes than the partial sums of a block could hold.
            #[test]
            fn blocks_do_not_overflow() {
                let n = 20_000_000;
                let mut data = vec![$element::MAX; n];
                for x in [$element::MAX, $element::MIN] {
                    data.fill(x);
                    for (name, level) in levels() {
                        assert_eq!(mean(level, &data), Some(x as f64), "{name}");
                    }
                }
            }
        }
    )*};
}

integers! { u8 i8 u16 i16 u32 i32 u64 i64 }

#[test]
fn any_byte_but_0_is_true() {
    let strategy = vec(prop_oneof![Just(0), any::<u8>()].prop_map(Bool), 1..300);
    let mut config = ProptestConfig::with_cases(CASES / 20);
    config.failure_persistence = None;
    proptest!(config, |(data in strategy)| {
        assert_integer_mean(&data, |&Bool(byte)| i128::from(byte != 0));
    });
    for (name, level) in levels() {
        assert_eq!(mean(level, &[Bool(255); 100_000]), Some(1.0), "{name}");
    }
}

/// By the definition: no integer is nearer, and where two are as near it is the even one.
#[test]
fn times_are_rounded_to_the_nearest_even_integer() {
    let near = |at: i64| (0..5_i64).prop_map(move |x| at.wrapping_add(x - 2));
    let times = prop_oneof![any::<i64>(), near(0), near(i64::MAX), near(i64::MIN)];
    let mut config = ProptestConfig::with_cases(CASES / 10);
    config.failure_persistence = None;
    proptest!(config, |(data in vec(times, 1..20))| {
        let data: Vec<Time> = data.into_iter().map(Time).collect();
        let n = data.len() as i128;
        let sum: i128 = data.iter().map(|x| i128::from(x.0)).sum();
        for (_, level) in levels() {
            let mean = Time::mean_bits(level, &data, data.len() as u64, Binary::B64) as i64;
            if data.contains(&Time::NAT) {
                prop_assert_eq!(mean, Time::NAT.0);
                continue;
            }
            let twice_off = 2 * (sum - i128::from(mean) * n).abs();
            prop_assert!(twice_off < n || (twice_off == n && mean % 2 == 0), "{data:?}: {mean}");
        }
    });
}
