//! One progress line on standard error, with rate and remaining time.
//!
//! A terminal sees it redrawn in place; a log file gets a full line now and then, which the usual
//! progress-bar crates leave out altogether.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Redraws on a terminal no oftener than this.
const TERMINAL_PAUSE: Duration = Duration::from_millis(100);
/// Lines into a file or pipe come no oftener than this.
const LOG_PAUSE: Duration = Duration::from_secs(10);

/// Counter of finished units that prints itself; share it between threads by reference.
pub struct Progress {
    label: String,
    unit: &'static str,
    total: u64,
    done: AtomicU64,
    /// Units that were done before this start; they took no time of it.
    before: u64,
    start: Instant,
    terminal: bool,
    screen: Mutex<Screen>,
}

#[derive(Default)]
struct Screen {
    next: Duration,
    note: String,
    dirty: bool,
}

impl Progress {
    /// Starts counting to `total` `unit`s (plural, as "frames"); total 0 means not known.
    pub fn new(label: impl Into<String>, unit: &'static str, total: u64) -> Self {
        Self::resumed(label, unit, total, 0)
    }

    /// As [`Progress::new`], with `before` units done by an earlier run.
    pub fn resumed(label: impl Into<String>, unit: &'static str, total: u64, before: u64) -> Self {
        let terminal = io::stderr().is_terminal();
        let next = if terminal { Duration::ZERO } else { LOG_PAUSE };
        Self {
            label: label.into(),
            unit,
            total,
            done: AtomicU64::new(before),
            before,
            start: Instant::now(),
            terminal,
            screen: Mutex::new(Screen {
                next,
                ..Screen::default()
            }),
        }
    }

    /// Counts `units` more and prints if it is time.
    pub fn advance(&self, units: u64) {
        let done = self.done.fetch_add(units, Ordering::Relaxed) + units;
        // Another thread holds the lock: it prints.
        if let Ok(mut screen) = self.screen.try_lock() {
            self.print_if_due(&mut screen, done);
        }
    }

    /// Replaces the remark at the end of the line (the current loss, say).
    pub fn note(&self, note: impl Into<String>) {
        if let Ok(mut screen) = self.screen.lock() {
            screen.note = note.into();
        }
    }

    fn print_if_due(&self, screen: &mut Screen, done: u64) {
        let elapsed = self.start.elapsed();
        if elapsed < screen.next {
            return;
        }
        let pause = if self.terminal {
            TERMINAL_PAUSE
        } else {
            LOG_PAUSE
        };
        screen.next = elapsed + pause;
        screen.dirty = self.terminal;
        let line = self.line(done, elapsed, &screen.note);
        let mut stderr = io::stderr().lock();
        // A lost progress line is not worth failing the work.
        let _ = if self.terminal {
            write!(stderr, "\r{line}\x1b[K").and_then(|()| stderr.flush())
        } else {
            writeln!(stderr, "{line}")
        };
    }

    /// `train  1200/4000 steps  30%  12.4 steps/s  ETA 3 min 46 s  loss 0.012`.
    fn line(&self, done: u64, elapsed: Duration, note: &str) -> String {
        let rate = (done - self.before) as f64 / elapsed.as_secs_f64().max(1e-9);
        let mut line = format!("{}  {done}", self.label);
        if self.total > 0 {
            let share = 100 * u128::from(done) / u128::from(self.total);
            line += &format!("/{} {}  {share}%", self.total, self.unit);
        } else {
            line += &format!(" {}", self.unit);
        }
        line += &format!("  {} {}/s", significant(rate), self.unit);
        if self.total > done && done > self.before {
            line += &format!("  ETA {}", human((self.total - done) as f64 / rate));
        }
        if !note.is_empty() {
            line += "  ";
            line += note;
        }
        line
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let Ok(screen) = self.screen.get_mut() else {
            return;
        };
        if screen.dirty {
            let note = std::mem::take(&mut screen.note);
            let done = self.done.load(Ordering::Relaxed);
            let line = self.line(done, self.start.elapsed(), &note);
            let _ = writeln!(io::stderr(), "\r{line}\x1b[K");
        }
    }
}

/// Three significant digits, without exponent.
fn significant(value: f64) -> String {
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$}")
}

/// Seconds as `45 s`, `3 min 46 s` or `2 h 05 min`.
pub fn human(seconds: f64) -> String {
    // Saturates, so that a vanishing rate prints a large number.
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_shows_share_rate_and_remaining_time() {
        let progress = Progress::new("train", "steps", 4000);
        let line = progress.line(1200, Duration::from_secs(100), "loss 0.012");
        assert_eq!(
            line,
            "train  1200/4000 steps  30%  12.0 steps/s  ETA 3 min 53 s  loss 0.012"
        );
        let open = Progress::new("read", "frames", 0);
        let line = open.line(7, Duration::from_secs(2), "");
        assert_eq!(line, "read  7 frames  3.50 frames/s");
    }

    #[test]
    fn start_and_end_have_no_remaining_time() {
        let progress = Progress::new("x", "units", 10);
        for done in [0, 10, 12] {
            let line = progress.line(done, Duration::from_secs(1), "");
            assert!(!line.contains("ETA"), "{line}");
        }
    }

    #[test]
    fn durations_read_naturally() {
        assert_eq!(human(0.4), "0 s");
        assert_eq!(human(59.6), "1 min 00 s");
        assert_eq!(human(7500.0), "2 h 05 min");
        assert!(human(f64::INFINITY).contains(" h "));
    }

    #[test]
    fn threads_count_together() {
        let progress = Progress::new("x", "units", 400);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100).for_each(|_| progress.advance(1)));
            }
        });
        assert_eq!(progress.done.load(Ordering::Relaxed), 400);
    }
}
