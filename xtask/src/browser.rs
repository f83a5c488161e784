//! The browser that looks at the page of `derefnet report`.

use crate::features::workspace;
use crate::setup;
use crate::shell::{command, run, works};
use crate::step::{Options, Outcome};

/// Programs that speak Chromium's protocol, the one without windows first.
const PROGRAMS: [&str; 5] = [
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// The browser of the variable `BROWSER`, or the first one that is installed.
pub fn find() -> Option<String> {
    let named = std::env::var("BROWSER").ok();
    let all = named.into_iter().chain(PROGRAMS.map(str::to_owned));
    let mut there = all.filter(|program| works(command(program, &["--version"])));
    there.next()
}

/// The suite that needs it. Where there is none, only CI, which runs `cargo xtask setup`, fails.
pub fn test(_: &Options) -> Outcome {
    let Some(browser) = find() else {
        let how = "no browser: cargo xtask setup, or the variable BROWSER names one like Chromium";
        return match std::env::var_os("CI") {
            Some(_) => Outcome::failed(how),
            None => Outcome::Skipped(format!("NOT CHECKED: {how}")),
        };
    };
    let mut test = workspace("test", &["--test", "report", "--", "--ignored"]);
    test.env("BROWSER", &browser);
    let pictures = format!("{browser}; pictures in target/report/");
    run(test).map(|()| Outcome::noted(vec![pictures])).into()
}

/// The step of `cargo xtask setup`.
pub fn set_up(options: &Options) -> Outcome {
    if find().is_some() {
        return Outcome::passed();
    }
    Outcome::unless(setup::require_browser(options).err().into_iter().collect())
}
