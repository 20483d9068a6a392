//! What is read in several streams, or parts of blocks in turn, whatever the machine, against the exact path.

use mean_core::{
    exact_mean, levels, mean, read_in_streams, Binary, Bool, Counted, Element, Float, Level, BF16,
    CACHE_LINE, F16,
};
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
/// line, so there is no head. As many as streams hold at every level, and before as many blocks as are read twice,
/// which are fewer than what is asked for early.)
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
    check([2 * 3968, 124_992, 499_968], |x| x, 1e300);
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

/// Elements of which not all count, and those that come from far only among others; with some that do not fit.
#[test]
fn parts_lose_nothing() {
    assert!(read_in_streams());
    fn check<E: Float>(nearest: impl Fn(f64) -> E) {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut data: Vec<E> = (0..100_003).map(|_| nearest(random.random())).collect();
        data.iter_mut().skip(70_000).step_by(1000).for_each(|x| *x = nearest(-3e4));
        let mut missing = data.clone();
        missing.iter_mut().step_by(97).for_each(|x| *x = E::nan());
        let mask: Vec<u8> = data.iter().map(|_| random.random::<u8>() & 3).collect();
        // (From the end, too, by themselves.)
        let of_end = (80 << 10) / size_of::<E>();
        for (n, bytes) in [(2000, 1 << 20), (33_000, 1 << 20), (data.len(), 1 << 20), (of_end, 0)] {
            let (data, missing) = (&mut data, &mut missing);
            for at in [5, n / 2, n - 5] {
                (data[at], missing[at]) = (nearest(-3e4), nearest(-3e4));
            }
            let mask = &mask[..n];
            for (data, mask, skips) in [
                (&data[..n], None, false),
                (&data[..n], Some(mask), false),
                (&missing[..n], None, true),
                (&missing[..n], Some(mask), true),
            ] {
                let counted = Counted::new(data, mask, skips).among(bytes);
                let counts = |&i: &usize| {
                    mask.is_none_or(|mask| mask[i] != 0) && !(skips && data[i].is_missing())
                };
                let kept: Vec<E> = (0..n).filter(counts).map(|i| data[i]).collect();
                let want = exact_mean(&kept).map(E::to_bits);
                for (name, level) in levels() {
                    let got = E::mean_of_counted(level, counted, E::BINARY);
                    assert_eq!(got, want, "{name}, {n} elements, {}, {skips}", mask.is_some());
                }
            }
        }
    }
    check(|x| x);
    check(|x| x as f32);
    check(|x| BF16(half::bf16::from_f64(x).to_bits()));
    check(|x| F16(half::f16::from_f64(x).to_bits()));
}

/// Slices of a size that has the last block first: wherever they begin in a cache line, and wherever what does not fit is.
#[test]
fn what_is_read_from_the_end_loses_nothing() {
    assert!(read_in_streams());
    fn check<E: Float>(odd: &[f64], nearest: impl Fn(f64) -> E) {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(2);
        let (least, most) = ((64 << 10) / size_of::<E>(), (96 << 10) / size_of::<E>() - 1);
        for low in [0.0, -0.5] {
            let data = (0..most + CACHE_LINE).map(|_| nearest(random.random::<f64>() + low));
            let mut data: Vec<E> = data.collect();
            for n in [least, least + 1, random.random_range(least..most), most] {
                let start = random.random_range(0..CACHE_LINE);
                let data = &mut data[start..][..n];
                for at in [0, 1, n / 2, n - 3, n - 1, random.random_range(0..n)] {
                    for &odd in odd {
                        let x = std::mem::replace(&mut data[at], nearest(odd));
                        for (name, level) in levels() {
                            assert_same_mean(name, level, data);
                        }
                        data[at] = x;
                    }
                }
            }
        }
    }
    let odd = [0.25, -1e9, 1e30, f64::INFINITY, f64::NAN];
    check(&odd, |x| x);
    check(&odd, |x| x as f32);
    check(&odd, |x| BF16(half::bf16::from_f64(x).to_bits()));
    check(&[0.25, -3e4, 6e4, f64::NAN], |x| F16(half::f16::from_f64(x).to_bits()));
}

/// Of as many as are near, the mean is known; and so is that of all, if these come again and again.
#[test]
fn parts_of_integers_lose_nothing() {
    assert!(read_in_streams());
    fn check<E: Element>(element: impl Fn(u64) -> E) {
        let some = (0..1000_u64).map(|i| element(i.wrapping_mul(i << 40 | i)));
        let some: Vec<E> = some.collect();
        let data = some.repeat(300);
        let mask = vec![1; data.len()];
        for (name, level) in levels() {
            let want = E::mean_bits(level, &some, 1000, Binary::B64);
            for n in [2, 9, 70, 300].map(|times| times * some.len()) {
                let (data, what) = (&data[..n], format!("{name}, {n} elements"));
                assert_eq!(E::mean_bits(level, data, n as u64, Binary::B64), want, "{what}");
                let among = Counted::new(data, None, false).among(1 << 20);
                assert_eq!(E::mean_of_counted(level, among, Binary::B64), Some(want), "{what}");
                let masked = Counted::new(data, Some(&mask[..n]), false);
                assert_eq!(E::mean_of_counted(level, masked, Binary::B64), None, "{what}");
            }
        }
    }
    check(|i| Bool(i as u8));
    check(|i| i as i8);
    check(|i| i as u16);
    check(|i| i as i32);
    check(|i| i as u32);
    check(|i| i as i64);
    check(|i| i);
}

/// They are a part of others that is worth it, and not far by themselves.
#[test]
fn what_is_far_among_others_is_so_alone() {
    assert!(read_in_streams());
    let data = [0.0; 12_288];
    let is_far =
        |n: usize, bytes| Counted::new(&data[..n], None, false).among(bytes).is_far_among_others();
    assert!(is_far(2048, 1 << 20) && is_far(8191, 1 << 20));
    assert!(!is_far(2047, 1 << 20) && !is_far(12_288, 1 << 20));
    // And these by themselves would be read from the end.
    assert!(is_far(8192, 1 << 20) && is_far(12_287, 1 << 20) && !is_far(8192, 0));
    assert!(!is_far(2048, 0) && !is_far(2048, (1 << 16) - 1));
}
