//! Random inputs at every SIMD level against the exact path, for as long as one likes.
//!
//! ```text
//! cargo run --release --example soak -- SECONDS [SEED]
//! ```
//!
//! Without a seed it takes one from the clock. Input k of a run is made from SEED + k alone: to
//! reproduce a miss, run `soak 0` with the seed that it reports.

#[path = "../tests/families/mod.rs"]
mod families;

use families::{
    Family, Input, Random, Tested, BLOCKS_PER_FLUSH, GROUPS, GROUPS_PER_BLOCK, NARROW_FROM,
    NARROW_GROUPS, NARROW_GROUPS_PER_BLOCK,
};
use mean_core::{levels, Level};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A worker takes this many seeds at a time.
const BATCH: u64 = 256;
/// Between two lines that say how far it is.
const PROGRESS: Duration = Duration::from_secs(5);
/// After so many there is no need to go on.
const ENOUGH_MISSES: usize = 5;

/// Small ones nearly always, for there most branches are and a case costs least; but every seam.
fn random_size(rng: &mut Random) -> usize {
    let group = *GROUPS.choose(rng).unwrap();
    let block = GROUPS_PER_BLOCK * group;
    let near = |rng: &mut Random, n: usize| n + rng.random_range(0..9) - 4;
    match rng.random_range(0..1024) {
        0..700 => rng.random_range(1..=140),
        700..900 => rng.random_range(1..=600),
        900..940 => 1 << rng.random_range(0..12),
        940..980 => near(rng, block),
        980..1000 => {
            let groups = rng.random_range(0..3) * group;
            let blocks = rng.random_range(1..=4) * block;
            near(rng, blocks + groups)
        }
        1000..1010 => rng.random_range(1..=9000),
        // float32 lanes: their least size, their blocks, and now and then a flush
        1010..1014 => near(rng, NARROW_FROM),
        1014..1023 => {
            let group = *NARROW_GROUPS.choose(rng).unwrap();
            let block = NARROW_GROUPS_PER_BLOCK * group;
            let blocks = NARROW_FROM / block + rng.random_range(1..=4);
            let flush = if rng.random_ratio(1, 16) { BLOCKS_PER_FLUSH * block } else { 0 };
            let groups = rng.random_range(0..3) * group;
            near(rng, blocks * block + flush + groups)
        }
        // (and a float32 of any size may widen at a flush that leaves 2^18 elements)
        _ => {
            let rest = *[0, 0, 0, families::WIDEN_REST].choose(rng).unwrap();
            near(rng, BLOCKS_PER_FLUSH * block + rest)
        }
    }
}

/// Checks the input that `seed` stands for.
fn check(seed: u64, levels: &[(&'static str, Level)]) -> Result<(), String> {
    let mut rng = Random::seed_from_u64(seed);
    if rng.random() {
        check_type::<f32>(seed, &mut rng, levels)
    } else {
        check_type::<f64>(seed, &mut rng, levels)
    }
}

fn check_type<F: Tested>(
    seed: u64,
    rng: &mut Random,
    levels: &[(&'static str, Level)],
) -> Result<(), String> {
    let family = *Family::<F>::ALL.choose(rng).unwrap();
    let input = Input { family, n: random_size(rng), offset: rng.random_range(0..=8), seed };
    catch_unwind(AssertUnwindSafe(|| input.check(levels)))
        .unwrap_or_else(|_| Err(format!("{input}: panicked, as said above")))
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let (Some(Ok(seconds)), seed, None) = (arguments.next(), arguments.next(), arguments.next())
    else {
        eprintln!("usage: soak SECONDS [SEED]");
        return ExitCode::from(2);
    };
    let seed = match seed {
        Some(Ok(seed)) => seed,
        Some(Err(error)) => {
            eprintln!("soak: the seed: {error}");
            return ExitCode::from(2);
        }
        None => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            now.as_nanos() as u64
        }
    };
    let levels = levels();
    let names: Vec<_> = levels.iter().map(|(name, _)| *name).collect();
    println!("seed {seed}, levels {}", names.join(", "));

    let start = Instant::now();
    let deadline = start + Duration::from_secs(seconds);
    let (next_seed, cases, stop) =
        (AtomicU64::new(seed), AtomicU64::new(0), AtomicBool::new(false));
    let (sender, receiver) = mpsc::channel();
    let mut misses = 0;
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let sender = sender.clone();
            scope.spawn(|| {
                let sender = sender;
                // At least one batch each, so that `soak 0 SEED` does what it is for.
                loop {
                    let first = next_seed.fetch_add(BATCH, Relaxed);
                    for k in 0..BATCH {
                        if let Err(miss) = check(first.wrapping_add(k), &levels) {
                            // (nobody listens any more once there are enough)
                            sender.send(miss).ok();
                        }
                    }
                    cases.fetch_add(BATCH * levels.len() as u64, Relaxed);
                    if stop.load(Relaxed) {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut next_line = start + PROGRESS;
        loop {
            let now = Instant::now();
            if now >= deadline || misses >= ENOUGH_MISSES {
                stop.store(true, Relaxed);
            }
            let until = if now < deadline { next_line.min(deadline) } else { now + PROGRESS };
            match receiver.recv_timeout(until - now) {
                Ok(miss) => {
                    misses += 1;
                    if misses <= ENOUGH_MISSES {
                        println!("MISS {miss}");
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) if Instant::now() < deadline => {
                    let seconds = start.elapsed().as_secs();
                    println!("{seconds} s: {} cases, {misses} misses", cases.load(Relaxed));
                    next_line += PROGRESS;
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                // Every worker has ended.
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
        }
    });
    println!("{} cases, {misses} misses", cases.into_inner());
    if misses == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
