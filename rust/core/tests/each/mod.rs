//! What the tests of every kernel share: how much to try, and for which types.

/// Release mode is for breadth; the debug run, some 50 times slower, is for its overflow checks.
pub const fn breadth(debug: usize, release: usize) -> usize {
    if cfg!(debug_assertions) {
        debug
    } else {
        release
    }
}

/// Writes a test for each element type.
macro_rules! for_each_type {
    ($($test:ident),* $(,)?) => {
        for_each_type!(@ f32, $($test),*);
        for_each_type!(@ f64, $($test),*);
    };
    (@ $float:ident, $($test:ident),*) => {
        mod $float {
            $(#[test]
            fn $test() {
                super::$test::<$float>();
            })*
        }
    };
}
