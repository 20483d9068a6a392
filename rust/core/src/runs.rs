//! Elements that do not lie in one slice.

/// The elements of a mean in runs: parts of an array that are not side by side, or a buffer that is
/// filled again and again.
pub trait Runs<E> {
    /// The next run, which is not empty; `None` after the last.
    fn next_run(&mut self) -> Option<&[E]>;

    /// How many elements of the runs so far count. Fewer than they have where zeros stand in for
    /// elements that do not.
    fn count(&self) -> u64;

    /// Starts again from the first run.
    fn rewind(&mut self);
}
