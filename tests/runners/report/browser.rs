//! The page in a real browser: `cargo xtask test` runs this where there is one.

use std::fs;
use std::path::{Path, PathBuf};

use derefnet_tests::results;
use serde_json::{Value, json};

use crate::devtools::Browser;
use crate::{records, written};

/// Windows: width, height, colour scheme.
const WINDOWS: [(u32, u32, &str); 4] = [
    (1280, 800, "light"),
    (1280, 800, "dark"),
    (360, 740, "light"),
    (360, 740, "dark"),
];
/// Browsers draw no larger pictures.
const HIGHEST: f64 = 16_000.0;

/// What reads badly: text that differs from its ground by less than 4.5 to 1 (WCAG 2.2, 1.4.3), as
/// [text, contrast]. Text of pictures stands on the page; on maps there is none.
const CONTRAST: &str = r#"(() => {
  const parts = colour => colour.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = node => {
    for (; node; node = node.parentElement) {
      const colour = parts(getComputedStyle(node).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const bad = [];
  let seen = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode, element = node.parentElement;
    if (!node.data.trim() || element.matches('title, desc, style')) continue;
    const style = getComputedStyle(element);
    const [a, b] = [parts(element.closest('svg') ? style.fill : style.color), ground(element)].map(light);
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    seen += 1;
    if (contrast < 4.5) bad.push([node.data.trim(), contrast.toFixed(2)]);
  }
  return { seen, bad };
})()"#;

/// Pairs of names that cover each other in a picture.
const COVERED: &str = r#"(() => {
  const bad = [];
  for (const svg of document.querySelectorAll('svg')) {
    const names = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]);
    names.forEach(([text, a], k) => names.slice(0, k).forEach(([other, b]) => {
      // Boxes of text are as high as a line; letters fill less.
      const air = (a.height + b.height) / 8;
      if (a.left < b.right && b.left < a.right && a.top + air < b.bottom && b.top + air < a.bottom)
        bad.push([text, other]);
    }));
  }
  return bad;
})()"#;

/// Texts that stick out of their picture.
const CUT: &str = r#"[...document.querySelectorAll('svg text')].filter(text => {
  const [a, b] = [text.getBoundingClientRect(), text.ownerSVGElement.getBoundingClientRect()];
  return a.left < b.left - 1 || a.right > b.right + 1 || a.top < b.top - 1 || a.bottom > b.bottom + 1;
}).map(text => text.textContent)"#;

#[test]
#[ignore = "needs a browser: the variable BROWSER names one like Chromium"]
fn opens_without_complaint_and_fits_its_window() {
    let program = std::env::var("BROWSER").unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("synthetic");
    results::write(&folder);
    let device = records();
    let page = scratch.path().join("report.html");
    written(&[&folder], &["--device", device.to_str().unwrap()], &page);
    let mut browser = Browser::start(&program);
    for (width, height, scheme) in WINDOWS {
        let name = format!("{width}-{scheme}");
        emulate(&mut browser, width, height, scheme);
        check_load(&browser.load(&page), &name);
        keep(&name, "png", &screenshot(&mut browser, width));
        check_layout(&mut browser, width, &name);
    }
    let paper = browser.ask("Page.printToPDF", json!({ "printBackground": true }));
    let paper = paper["data"].as_str().unwrap();
    // "%PDF-" in base64.
    assert!(paper.starts_with("JVBERi0"));
    keep("paper", "pdf", paper);
}

fn emulate(browser: &mut Browser, width: u32, height: u32, scheme: &str) {
    let window = json!({ "width": width, "height": height, "deviceScaleFactor": 1,
                         "mobile": width < 600 });
    browser.ask("Emulation.setDeviceMetricsOverride", window);
    let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
    browser.ask("Emulation.setEmulatedMedia", media);
}

/// Nothing on the console, nothing loaded but the file.
fn check_load(events: &[Value], name: &str) {
    let of = |method: &str| -> Vec<&Value> {
        events
            .iter()
            .filter(|event| event["method"] == method)
            .collect()
    };
    for complaint in [
        "Log.entryAdded",
        "Runtime.consoleAPICalled",
        "Runtime.exceptionThrown",
    ] {
        assert!(of(complaint).is_empty(), "{name}: {:?}", of(complaint));
    }
    let requests = of("Network.requestWillBeSent");
    assert!(!requests.is_empty());
    for request in requests {
        let url = request["params"]["request"]["url"].as_str().unwrap();
        assert!(
            url.starts_with("file:///") || url.starts_with("data:image/png"),
            "{name}: {url}"
        );
    }
}

fn check_layout(browser: &mut Browser, width: u32, name: &str) {
    let inner = browser.value("innerWidth");
    assert_eq!(inner, width, "{name}");
    let scroll = browser.value("document.documentElement.scrollWidth");
    assert!(
        scroll.as_u64().unwrap() <= width.into(),
        "{name}: {scroll} wide"
    );
    let contrast = browser.value(CONTRAST);
    assert!(
        contrast["seen"].as_u64().unwrap() > 500,
        "{name}: {contrast}"
    );
    assert_eq!(contrast["bad"], json!([]), "{name}");
    assert_eq!(browser.value(COVERED), json!([]), "{name}");
    assert_eq!(browser.value(CUT), json!([]), "{name}");
    let images = browser.value("[...document.images].every(i => i.complete && i.naturalWidth > 0)");
    assert_eq!(images, true, "{name}");
}

/// The whole page, as far down as pictures go.
fn screenshot(browser: &mut Browser, width: u32) -> String {
    let height = browser
        .value("document.documentElement.scrollHeight")
        .as_f64()
        .unwrap();
    let clip = json!({ "x": 0, "y": 0, "width": width, "height": height.min(HIGHEST), "scale": 1 });
    let params = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
    let answer = browser.ask("Page.captureScreenshot", params);
    answer["data"].as_str().unwrap().to_owned()
}

/// Leaves a picture in `target/report/` for the eye.
fn keep(name: &str, end: &str, base64: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/report");
    fs::create_dir_all(&folder).unwrap();
    let path: PathBuf = folder.join(format!("{name}.{end}"));
    let bytes = decode(base64);
    assert!(bytes.len() > 10_000, "{name}: {} bytes", bytes.len());
    fs::write(&path, bytes).unwrap();
    println!("{}", path.display());
}

/// RFC 4648, section 4.
fn decode(text: &str) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::new();
    for group in text.trim_end_matches('=').as_bytes().chunks(4) {
        let word = group
            .iter()
            .fold(0u32, |word, &c| word << 6 | u32::from(digit(c)));
        let word = word << (6 * (4 - group.len()) + 8);
        bytes.extend(&word.to_be_bytes()[..group.len() - 1]);
    }
    bytes
}
