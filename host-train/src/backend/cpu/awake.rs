//! Workers that stay awake.
//!
//! A pass through the network is a hundred short parallel regions with a little serial work
//! between them. Workers fall asleep there, and to wake one takes tens of microseconds: of a lone
//! window with two workers, half of the time. So those without work look for some until the pass
//! is over.

use std::sync::atomic::{AtomicBool, Ordering};

use rayon::{Scope, Yield};

/// Whether some pass keeps the workers awake. A second one at the same time goes without: two
/// could wait for each other.
static HELD: AtomicBool = AtomicBool::new(false);

/// Ends the wait of the workers, also when the work panics.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Gives the place free for the next pass.
struct Held;

impl Drop for Held {
    fn drop(&mut self) {
        HELD.store(false, Ordering::Release);
    }
}

/// Runs `work` on one of the workers while the others stay awake.
pub(super) fn awake<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    if rayon::current_num_threads() == 1 || HELD.swap(true, Ordering::Acquire) {
        return work();
    }
    let _held = Held;
    let done = AtomicBool::new(false);
    rayon::scope(|scope: &Scope| {
        let me = rayon::current_thread_index();
        let done = &done;
        scope.spawn_broadcast(move |_, worker| {
            if Some(worker.index()) != me {
                watch(done);
            }
        });
        let _done = Done(done);
        work()
    })
}

/// Runs what others offer until `done`.
fn watch(done: &AtomicBool) {
    while !done.load(Ordering::Acquire) {
        if rayon::yield_now() != Some(Yield::Executed) {
            std::thread::yield_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;

    use rayon::prelude::*;

    use super::*;

    fn sum(n: u64) -> u64 {
        (0..n).into_par_iter().sum()
    }

    fn pool(threads: usize) -> rayon::ThreadPool {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap()
    }

    #[test]
    fn gives_the_result_for_any_number_of_workers() {
        for threads in 1..=4 {
            let inside = pool(threads).install(|| awake(|| sum(1000)));
            assert_eq!(inside, 499_500, "{threads} workers");
        }
        assert_eq!(awake(|| sum(1000)), 499_500);
    }

    /// Passes within passes, more of them at once than workers: none waits for another for ever.
    #[test]
    fn many_at_once_all_end() {
        let sums: u64 = pool(3).install(|| {
            let outer = (0..64).into_par_iter();
            outer.map(|n| awake(|| awake(|| sum(n)))).sum()
        });
        // 64 over 3.
        assert_eq!(sums, 41_664);
    }

    #[test]
    fn a_panic_ends_the_wait() {
        let pool = pool(2);
        let planned = AssertUnwindSafe(|| pool.install(|| awake(|| panic!("as planned"))));
        let result = std::panic::catch_unwind(planned);
        assert!(result.is_err());
        assert_eq!(pool.install(|| awake(|| sum(10))), 45);
    }
}
