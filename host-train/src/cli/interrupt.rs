//! Ctrl-C: the first asks long work to stop and keep what it has, the second ends the program.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Error, Result};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Takes over Ctrl-C for the rest of the process.
///
/// # Errors
///
/// [`Error::Usage`] if the system refuses or if it was installed before.
pub fn install() -> Result<()> {
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(Error::Interrupted.exit_code()));
        }
        let _ = writeln!(
            std::io::stderr(),
            "\nstopping; press Ctrl-C again to stop at once"
        );
    })
    .map_err(|source| Error::usage(format!("cannot listen for Ctrl-C: {source}")))
}

/// Whether Ctrl-C was pressed; cheap enough for inner loops.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Leaves a loop by `?` once Ctrl-C was pressed.
///
/// # Errors
///
/// [`Error::Interrupted`] after the first Ctrl-C.
pub fn check() -> Result<()> {
    if interrupted() {
        return Err(Error::Interrupted);
    }
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    const ROLE: &str = "DEREFNET_TEST_INTERRUPT_CHILD";

    /// Not a test of its own: the body of the process that the next test interrupts.
    #[test]
    fn child() {
        if std::env::var_os(ROLE).is_none() {
            return;
        }
        install().unwrap();
        assert!(check().is_ok());
        let say = |word: &str| writeln!(std::io::stderr(), "{word}").unwrap();
        say("ready");
        let end = Instant::now() + Duration::from_secs(30);
        while check().is_ok() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(2));
        }
        say("noticed");
        std::thread::sleep(Duration::from_secs(30));
    }

    fn press(child: &Child) {
        let kill = Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
    }

    #[test]
    fn first_signal_sets_the_flag_and_second_exits_130() {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "cli::interrupt::tests::child", "--nocapture"])
            .env(ROLE, "1")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut wait_for = |word: &str| {
            let found = lines.by_ref().any(|line| line.unwrap() == word);
            assert!(found, "the child never said {word}");
        };
        wait_for("ready");
        press(&child);
        wait_for("noticed");
        press(&child);
        assert_eq!(child.wait().unwrap().code(), Some(130));
    }
}
