//! Slices read in several streams, whatever the machine, against the exact path.

use mean_core::{exact_mean, levels, mean, read_in_streams, Float, Level, BF16, CACHE_LINE, F16};
use rand::{rngs::Xoshiro256PlusPlus, RngExt, SeedableRng};

/// With elements that do not fit, or are no numbers, here and there.
#[test]
fn streams_lose_nothing() {
    assert!(read_in_streams());
    fn check<E: Float>(low: f64, odd: &[f64], nearest: impl Fn(f64) -> E) {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(0);
        let mut data: Vec<E> =
            (0..1_200_000).map(|_| nearest(random.random::<f64>() + low)).collect();
        for &x in odd {
            let at = random.random_range(1..data.len());
            data[at] = nearest(x);
            for (name, level) in levels() {
                assert_same_mean(name, level, &data[1..]);
            }
        }
    }
    let odd = [0.25, 100.0, -1e9, 1e30, -1e30, f64::INFINITY, f64::NAN];
    for low in [0.0, -0.5] {
        check(low, &odd, |x| x);
        check(low, &odd, |x| x as f32);
        check(low, &odd, |x| BF16(half::bf16::from_f64(x).to_bits()));
        let odd = [0.25, 100.0, -3e4, 6e4, f64::NEG_INFINITY, f64::NAN];
        check(low, &odd, |x| F16(half::f16::from_f64(x).to_bits()));
    }
}

fn assert_same_mean<E: Float>(name: &str, level: Level, data: &[E]) {
    let [got, want] = [mean(level, data), exact_mean(data)].map(|mean| mean.map(E::to_bits));
    assert_eq!(got, want, "{name}, {} elements", data.len());
}

/// What is left for the last block is from a group on; whatever the last element is. (The first begins a cache
/// line, so there is no head. As many as streams hold at every level, and as many blocks as are read twice.)
#[test]
fn streams_and_blocks_end_where_they_do() {
    assert!(read_in_streams());
    fn check<E: Float>(lengths: [usize; 3], element: impl Fn(f64) -> E, large: f64) {
        let longest = lengths[2] + 200;
        let data = (0..longest).map(|i| element(1.0 + (i * 7919 % 100) as f64 / 64.0));
        let mut data: Vec<E> = data.collect();
        let start = data.as_ptr().align_offset(CACHE_LINE);
        let past = [0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129];
        for n in lengths.iter().flat_map(|&n| past.map(|past| n - 1 + past)) {
            let data = &mut data[start..][..n];
            let last = data[n - 1];
            for x in [last, element(large), element(f64::NAN)] {
                data[n - 1] = x;
                for (name, level) in levels() {
                    assert_same_mean(name, level, data);
                }
            }
            data[n - 1] = last;
        }
    }
    check([5 * 3968, 124_992, 499_968], |x| x, 1e300);
    check([5 * 1984, 56_448, 225_792], |x| x as f32, 1e30);
    let lengths = [10_000, 56_448, 225_792];
    check(lengths, |x| F16(half::f16::from_f64(x).to_bits()), 6e4);
    check(lengths, |x| BF16(half::bf16::from_f64(x).to_bits()), 3e38);
}

/// All but a group is read in streams, and its mean is a little below a midpoint; but that they drop as much as
/// takes it above: their bound has to say so. (The last grid is that of 2^-86.)
#[test]
fn what_streams_drop_is_in_their_bound() {
    assert!(read_in_streams());
    let n = 999_936 + 32;
    let mut data = vec![2_f64.powi(-88); n + 8];
    let start = data.as_ptr().align_offset(CACHE_LINE);
    let data = &mut data[start..][..n];
    for (i, x) in data.iter_mut().skip(1).step_by(2).enumerate() {
        *x = 1.0 + (i % 2) as f64 * f64::EPSILON;
    }
    data[n / 2] = -1000.0 * 2_f64.powi(-86);
    for (name, level) in levels() {
        assert_eq!(mean(level, data), Some(0.5 + f64::EPSILON / 2.0), "{name}");
    }
}
