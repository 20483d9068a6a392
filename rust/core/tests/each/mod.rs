//! A test of a kernel for each element type.

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
