//! Every SIMD level against the exact path, bit for bit: the same data, the same mean.
//!
//! What is tried here is fixed; `examples/soak.rs` tries random inputs for as long as one likes.

#[macro_use]
mod each;
mod families;

use families::{
    compare, strew, Backwards, Family, Input, Tested, BLOCKS_PER_FLUSH, GROUPS, GROUPS_PER_BLOCK,
    NARROW_FROM, NARROW_GROUPS, NARROW_GROUPS_PER_BLOCK, WIDEN_REST,
};
use mean_core::{exact_mean, levels, mean, Counted, Float, Level, BF16, F16};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};

/// Checks every family at every one of `sizes`, each time with other data, `offset` elements into
/// the allocation.
fn check_families<F: Tested>(sizes: impl IntoIterator<Item = usize>, offset: usize, round: usize) {
    let levels = levels();
    for n in sizes {
        for (i, &family) in Family::<F>::ALL.iter().enumerate() {
            // The data must not depend on the order in which the tests ask for it.
            let seed = (round as u64) << 48 | (n as u64) << 16 | (i as u64) << 8 | offset as u64;
            Input { family, n, offset, seed }
                .check(&levels)
                .unwrap_or_else(|miss| panic!("{miss}"));
        }
    }
}

/// `reach` sizes to either side of `seam`.
fn around(seam: usize, reach: usize) -> impl Iterator<Item = usize> {
    seam - reach..=seam + reach
}

for_each_type! {
    nothing_has_no_mean,
    every_small_size,
    every_offset,
    block_boundaries,
    flush_boundaries,
    several_flushes,
    special_values_in_every_lane,
    any_order,
    strided_elements_are_proved,
    elements_that_count_are_proved,
    missing_elements_do_not_count,
}

fn nothing_has_no_mean<F: Tested>() {
    for (name, level) in levels() {
        assert!(mean::<F>(level, &[]).is_none(), "{name}");
    }
}

/// No vector at all, a tail of every length, up to nine groups of the widest lanes.
fn every_small_size<F: Tested>() {
    for round in 0..40 {
        check_families::<F>(1..=300, round % 9, round);
    }
}

fn every_offset<F: Tested>() {
    for offset in 0..=8 {
        for round in 0..4 {
            check_families::<F>(1..=68, offset, round);
            check_families::<F>([100, 257, 1029, 4000], offset, round);
        }
    }
}

fn block_boundaries<F: Tested>() {
    for group in GROUPS {
        for blocks in 1..=3 {
            let end = blocks * GROUPS_PER_BLOCK * group;
            check_families::<F>(around(end, 10), blocks, blocks);
            // A last group more still belongs to the last block; with two, another block begins.
            check_families::<F>(around(end + group, 3), blocks, blocks);
            check_families::<F>(around(end + 2 * group, 3), blocks, blocks);
        }
    }
}

fn flush_boundaries<F: Tested>() {
    for group in &GROUPS[..3] {
        let end = BLOCKS_PER_FLUSH * GROUPS_PER_BLOCK * group;
        check_families::<F>(around(end, 1), 1, 0);
        check_families::<F>([end + group, end + 2 * group + 1], 2, 0);
    }
}

/// The first flush after which float32 may widen, and the last after which it may not.
#[test]
fn late_widening() {
    for group in &GROUPS[..3] {
        let end = BLOCKS_PER_FLUSH * GROUPS_PER_BLOCK * group;
        check_families::<f32>(around(end + WIDEN_REST, 1), 3, 0);
    }
}

/// float32 lanes: the least size, every offset of a vector, and the ends of blocks.
#[test]
fn narrow_block_boundaries() {
    for round in 0..8 {
        check_families::<f32>(around(NARROW_FROM, 4), round, round);
    }
    for offset in 0..17 {
        for group in &NARROW_GROUPS[..3] {
            let block = NARROW_GROUPS_PER_BLOCK * group;
            let end = NARROW_FROM.next_multiple_of(block);
            for end in [end, end + block, end + group, end + 2 * group] {
                // (Two, because the elements before alignment are as many fewer as the offset is more.)
                check_families::<f32>([end + offset - 1, end + offset], offset, end);
            }
        }
    }
}

#[test]
fn narrow_flush_boundaries() {
    for group in &NARROW_GROUPS[..3] {
        let end = BLOCKS_PER_FLUSH * NARROW_GROUPS_PER_BLOCK * group;
        for round in 0..2 {
            check_families::<f32>(around(end, 1), round, round);
            check_families::<f32>([end + group, end + 5 * group + 1, 2 * end + 7], round, round);
        }
    }
}

/// Lanes of 64 bits that were never flushed would overflow beyond 2^20 elements.
fn several_flushes<F: Tested>() {
    check_families::<F>([1_100_001], 4, 0);
}

/// NaN, each infinity, and both infinities together: of a few elements at every position, of a block and its
/// tail in every lane.
fn special_values_in_every_lane<F: Tested>() {
    let levels = levels();
    let nan_bits = F::nan().to_bits();
    let negative_signalling = F::signed(true, F::SPECIAL << F::FRACTION_BITS | 1);
    let specials = [
        (F::nan(), nan_bits),
        (negative_signalling, nan_bits),
        (F::infinity(false), F::infinity(false).to_bits()),
        (F::infinity(true), F::infinity(true).to_bits()),
    ];
    let large = GROUPS.map(|group| GROUPS_PER_BLOCK * group + group - 1);
    let large = large.into_iter().chain([NARROW_FROM + NARROW_GROUPS_PER_BLOCK + 1]);
    // (In steps that come to every lane.)
    for (n, step) in (1..=70).map(|n| (n, 1)).chain(large.map(|n| (n, 7))) {
        let mut data = vec![F::nearest(1.0); n];
        for i in (0..n).step_by(step) {
            for (special, want) in specials {
                data[i] = special;
                compare(&levels, &data).unwrap_or_else(|miss| panic!("n {n}, at {i}: {miss}"));
                assert_eq!(exact_mean(&data).map(F::to_bits), Some(want), "n {n}, at {i}");
            }
            if i > 0 {
                // data[i] is -inf still.
                data[i / 2] = F::infinity(false);
                compare(&levels, &data).unwrap_or_else(|miss| panic!("n {n}, at {i}: {miss}"));
                data[i / 2] = F::nearest(1.0);
            }
            data[i] = F::nearest(1.0);
        }
    }
}

/// Elements of 16 bits in float32 lanes.
mod sixteen_bits {
    use super::*;

    fn float16(x: f64) -> F16 {
        F16(half::f16::from_f64(x).to_bits())
    }

    fn bfloat16(x: f64) -> BF16 {
        BF16(half::bf16::from_f64(x).to_bits())
    }

    /// The families of float32, brought to any of the type's exponents and rounded to it; by turns with
    /// the next number or as they are.
    fn all_families<E: Float + std::fmt::Debug>(nearest: fn(f64) -> E) {
        let levels = levels();
        let max_exponent = (E::SPECIAL / 2) as i32;
        for (round, group) in NARROW_GROUPS.into_iter().cycle().take(30).enumerate() {
            let block = NARROW_GROUPS_PER_BLOCK * group;
            let end = NARROW_FROM.next_multiple_of(block) + block;
            let many = BLOCKS_PER_FLUSH * block * usize::from(round % 8 == 0) + round;
            for n in [NARROW_FROM, end - 1, end, end + 1, end + group + 1, end + many] {
                for (i, &family) in Family::<f32>::ALL.iter().enumerate() {
                    let seed = (round * 1000 + i) as u64;
                    let mut rng = families::Random::seed_from_u64(seed);
                    Input { family, n, offset: 0, seed }.with_data(|data| {
                        let finite = data.iter().filter(|x| x.is_finite());
                        let largest = finite.fold(0.0_f64, |max, &x| max.max(f64::from(x).abs()));
                        let top = rng.random_range(E::MIN_EXPONENT..=max_exponent + 1);
                        let scale = 2_f64.powi(top - largest.log2().max(-150.0) as i32);
                        let next = u64::from(rng.random::<bool>());
                        let offset = round % 33;
                        let mut rounded = vec![E::nan(); offset];
                        rounded.extend(data.iter().enumerate().map(|(i, &x)| {
                            let x = nearest(f64::from(x) * scale);
                            E::from_bits(x.to_bits() ^ (i as u64 & next))
                        }));
                        for strewn in [false, true] {
                            if strewn {
                                strew(&mut rng, &mut rounded[offset..]);
                            }
                            let rounded = &mut rounded[offset..];
                            let mut result = compare(&levels, rounded);
                            if strewn && result.is_ok() {
                                result = compare_masked(&levels, &mut rng, rounded);
                            }
                            result.unwrap_or_else(|miss| {
                                panic!("{} seed {seed} n {n} to 2^{top}: {miss}", family.name)
                            });
                        }
                    });
                }
            }
        }
    }

    /// Where the largest numbers are near, and a lane could take a special one for a number.
    fn specials<E: Float + std::fmt::Debug>(nearest: fn(f64) -> E) {
        let levels = levels();
        let n = NARROW_FROM + NARROW_GROUPS_PER_BLOCK * 64 + 1;
        for usual in [nearest(1.0), E::from_bits(E::INFINITY - 1), E::from_bits(1)] {
            let mut data = vec![usual; n];
            for i in (0..n).step_by(31).chain(n - 40..n) {
                let least = E::from_bits(E::INFINITY | 1);
                for special in [E::nan(), least, E::infinity(false), E::infinity(true)] {
                    data[i] = special;
                    compare(&levels, &data).unwrap_or_else(|miss| panic!("at {i}: {miss}"));
                }
                data[i] = usual;
            }
        }
    }

    /// In float64 lanes, which fewer elements are summed in.
    fn few<E: Float + std::fmt::Debug>(nearest: fn(f64) -> E) {
        let levels = levels();
        let mut rng = families::Random::seed_from_u64(0);
        for n in (1..=300).cycle().take(6000) {
            let exponent = rng.random_range(-30..=15);
            let infinity = rng.random_ratio(1, 8).then(|| rng.random_range(0..n));
            let mut data: Vec<E> = (0..n)
                .map(|_| nearest((rng.random::<f64>() - 0.2) * 2_f64.powi(exponent)))
                .collect();
            strew(&mut rng, &mut data);
            if let Some(i) = infinity {
                data[i] = E::infinity(rng.random());
            }
            compare(&levels, &data).unwrap_or_else(|miss| panic!("n {n}: {miss}"));
        }
    }

    #[test]
    fn few_elements() {
        few(float16);
        few(bfloat16);
    }

    #[test]
    fn elements_that_count_are_proved() {
        counted_are_proved(float16);
        counted_are_proved(bfloat16);
    }

    #[test]
    fn families_in_float16() {
        all_families(float16);
    }

    #[test]
    fn families_in_bfloat16() {
        all_families(bfloat16);
    }

    #[test]
    fn specials_in_float16() {
        specials(float16);
    }

    #[test]
    fn specials_in_bfloat16() {
        specials(bfloat16);
    }
}

/// The bits depend on the elements, not on their order.
fn any_order<F: Tested>() {
    let levels = levels();
    let mut rng = families::Random::seed_from_u64(0);
    for n in [3, 20, 100, 1000, 9000] {
        for &family in Family::<F>::ALL {
            let input = Input { family, n, offset: 0, seed: n as u64 };
            input.with_data(|data| {
                let want = exact_mean(data).map(F::to_bits);
                for shuffle in 0..10 {
                    data.shuffle(&mut rng);
                    for &(name, level) in &levels {
                        let got = mean(level, data).map(F::to_bits);
                        assert_eq!(got, want, "{input}, shuffle {shuffle}, level {name}");
                    }
                }
            });
        }
    }
}

/// Not left to the slower ways, but where `compare` would not see it.
fn strided_elements_are_proved<F: Tested>() {
    let data: Vec<F> = (0..2 * NARROW_FROM).map(|i| F::nearest(i as f64 + 0.1)).collect();
    for (name, level) in levels() {
        for n in [32, 1000, NARROW_FROM, data.len()] {
            let strided = F::mean_of_strided(level, Backwards(&data[..n]), F::BINARY);
            assert_eq!(strided, mean(level, &data[..n]).map(F::to_bits), "{name}, n {n}");
        }
    }
}

/// The same of those that count, nor left to the slower way by those that do not.
fn elements_that_count_are_proved<F: Tested>() {
    counted_are_proved(F::nearest);
}

fn counted_are_proved<E: Float + std::fmt::Debug>(nearest: fn(f64) -> E) {
    for n in [32, 45, 1000, NARROW_FROM + 3, 20 * NARROW_FROM + 5] {
        for every in [2, 3, 100, n] {
            let numbers: Vec<E> = (0..n).map(|i| nearest((i % 100) as f64 + 0.1)).collect();
            let mut data = numbers.clone();
            data.iter_mut().skip(every - 1).step_by(every).for_each(|x| *x = E::nan());
            let mask: Vec<u8> = (0..n).map(|i| if i % 5 < 2 { 0 } else { i as u8 | 1 }).collect();
            let ways =
                [(&data, None, true), (&numbers, Some(&mask), false), (&data, Some(&mask), true)];
            for (data, mask, skips) in ways {
                let counted = Counted::new(data, mask.map(|mask| &mask[..]), skips);
                let want = exact_mean_of(data, mask, skips).map(E::to_bits);
                for (name, level) in levels() {
                    let got = E::mean_of_counted(level, counted, E::BINARY);
                    assert_eq!(got, want, "{name}, n {n}, one of {every}, {}", mask.is_some());
                }
            }
        }
    }
}

/// Whether every level gives the bits of the exact path, where it proves a mean, of what masks leave: few or
/// nearly all, with NaNs and infinities behind them; and, with NaNs that are skipped, elsewhere, too.
fn compare_masked<E: Float + std::fmt::Debug>(
    levels: &[(&'static str, Level)],
    rng: &mut families::Random,
    data: &mut [E],
) -> Result<(), String> {
    let share = *[0.01, 0.5, 0.99].choose(rng).unwrap();
    for skips in [true, false] {
        let mask: Vec<u8> = data
            .iter()
            .map(|x| match rng.random_bool(share) {
                true if skips || !x.is_missing() => rng.random_range(1..=255),
                _ => 0,
            })
            .collect();
        for (x, _) in data.iter_mut().zip(&mask).filter(|(_, &byte)| byte == 0) {
            if rng.random_ratio(1, 8) {
                *x = E::signed(rng.random(), E::INFINITY + u64::from(rng.random::<bool>()));
            }
        }
        let want = exact_mean_of(data, Some(&mask), skips).map(E::to_bits);
        for &(name, level) in levels {
            let counted = Counted::new(data, Some(&mask), skips);
            let got = E::mean_of_counted(level, counted, E::BINARY);
            if got.is_some() && got != want {
                return Err(format!(
                    "level {name}, {share} of a mask, {skips}: {got:?}, not {want:?}"
                ));
            }
        }
        // (Infinities would count without this mask.)
        let special = |x: &&mut E| x.to_bits() & E::INFINITY == E::INFINITY;
        data.iter_mut().filter(special).for_each(|x| *x = E::nan());
    }
    Ok(())
}

/// The exact mean of those that count.
fn exact_mean_of<E: Float>(data: &[E], mask: Option<&Vec<u8>>, skips: bool) -> Option<E> {
    let counts =
        |i: usize| mask.is_none_or(|mask| mask[i] != 0) && !(skips && data[i].is_missing());
    exact_mean(&(0..data.len()).filter(|&i| counts(i)).map(|i| data[i]).collect::<Vec<E>>())
}

/// In every family, at the ends of vectors, blocks and flushes.
fn missing_elements_do_not_count<F: Tested>() {
    let levels = levels();
    let mut rng = families::Random::seed_from_u64(0);
    let narrow = NARROW_FROM + NARROW_GROUPS_PER_BLOCK * 64;
    let flush = BLOCKS_PER_FLUSH * NARROW_GROUPS_PER_BLOCK * 16;
    let small = (1..=130).cycle().take(1000);
    let medium = [1000, 1984, 4001, 8005, 16_000, narrow - 1, narrow + 33].repeat(4);
    let large = [flush + 17, 2 * flush + 7, 4 * flush + 100, WIDEN_REST + 9 * flush + 1];
    for (round, n) in small.chain(medium).chain(large).enumerate() {
        for &family in Family::<F>::ALL {
            let input = Input { family, n, offset: round % 17, seed: round as u64 };
            input.with_data(|data| {
                strew(&mut rng, data);
                compare(&levels, data).unwrap_or_else(|miss| panic!("{input}: {miss}"));
                compare_masked(&levels, &mut rng, data)
                    .unwrap_or_else(|miss| panic!("{input}: {miss}"));
            });
        }
    }
}

/// The caller's floating-point environment: another library may have left any in this thread.
#[cfg(target_arch = "x86_64")]
mod environment {
    use super::*;
    use std::arch::asm;

    const DENORMALS_ARE_ZERO: u32 = 1 << 6;
    const FLUSH_TO_ZERO: u32 = 1 << 15;
    /// Toward -inf, toward +inf, toward zero; to nearest is 0.
    const ROUNDING_MODES: [u32; 4] = [0, 1 << 13, 2 << 13, 3 << 13];
    /// The exceptions that have occurred: for each operation to change.
    const STICKY_FLAGS: u32 = 0x3f;

    fn control_and_status() -> u32 {
        let mut mxcsr = 0_u32;
        // SAFETY: stores 32 bits where `mxcsr` is.
        unsafe { asm!("stmxcsr [{}]", in(reg) &mut mxcsr, options(nostack)) };
        mxcsr
    }

    fn set_control_and_status(mxcsr: u32) {
        // SAFETY: `mxcsr` sets no reserved bit and unmasks no exception: it was read above, or that
        // with other rounding and flushing, under which only the code under test runs.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &mxcsr, options(nostack)) };
    }

    /// The mean's bits under `environment`, and the environment that it leaves.
    #[inline(never)]
    fn mean_under<F: Tested>(environment: u32, level: Level, data: &[F]) -> (Option<u64>, u32) {
        let usual = control_and_status();
        set_control_and_status(environment);
        let result = mean(level, data);
        let left = control_and_status();
        set_control_and_status(usual);
        (result.map(F::to_bits), left)
    }

    fn any_environment<F: Tested>() {
        let usual = control_and_status();
        let environments: Vec<u32> = [0, DENORMALS_ARE_ZERO, FLUSH_TO_ZERO]
            .into_iter()
            .chain([DENORMALS_ARE_ZERO | FLUSH_TO_ZERO])
            .flat_map(|flushing| ROUNDING_MODES.map(|rounding| usual | flushing | rounding))
            .collect();
        let levels = levels();
        let sizes = (1..=300).chain([1000, 5000]);
        for n in sizes {
            for &family in Family::<F>::ALL {
                let input = Input { family, n, offset: n % 9, seed: n as u64 };
                input.with_data(|data| {
                    let want = exact_mean(data).map(F::to_bits);
                    for &environment in &environments {
                        for &(name, level) in &levels {
                            let (got, left) = mean_under(environment, level, data);
                            assert_eq!(got, want, "{input}, level {name}, MXCSR {environment:#x}");
                            assert_eq!(left & !STICKY_FLAGS, environment & !STICKY_FLAGS);
                        }
                    }
                });
            }
        }
    }

    for_each_type!(any_environment);
}
