//! A browser without a window, spoken to through pipes in its DevTools protocol.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// No answer takes longer, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A browser with one page.
pub struct Browser {
    process: Child,
    /// Its profile and the pipes.
    _folder: tempfile::TempDir,
    input: File,
    answers: Receiver<Value>,
    /// Came while something else was awaited.
    events: VecDeque<Value>,
    session: Option<String>,
    last: u64,
}

impl Browser {
    /// Starts `program`.
    pub fn start(program: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pipes = ["to", "from"].map(|name| folder.path().join(name));
        let made = Command::new("mkfifo").args(&pipes).status().unwrap();
        assert!(made.success(), "mkfifo: {made}");
        // The browser reads requests from descriptor 3 and answers on descriptor 4.
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec \"$0\" \"$@\" 3<\"$TO\" 4>\"$FROM\"", program]);
        shell.args([
            "--headless",
            "--remote-debugging-pipe",
            "--no-sandbox",
            "--disable-gpu",
        ]);
        shell.args([
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--hide-scrollbars",
            "--mute-audio",
        ]);
        shell.arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ));
        shell.env("TO", &pipes[0]).env("FROM", &pipes[1]);
        shell
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = shell.spawn().unwrap();
        // Each waits until the shell has opened the other end.
        let input = File::options().write(true).open(&pipes[0]).unwrap();
        let output = File::open(&pipes[1]).unwrap();
        let mut browser = Self {
            process,
            _folder: folder,
            input,
            answers: listen(output),
            events: VecDeque::new(),
            session: None,
            last: 0,
        };
        browser.open_page();
        browser
    }

    fn open_page(&mut self) {
        let target = self.ask("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.ask("Target.attachToTarget", attach);
        self.session = session["sessionId"].as_str().map(str::to_owned);
        assert!(self.session.is_some(), "{session}");
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.ask(&format!("{domain}.enable"), json!({}));
        }
    }

    /// The result of a request.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut request = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = &self.session {
            request["sessionId"] = session.as_str().into();
        }
        self.input
            .write_all(format!("{request}\0").as_bytes())
            .unwrap();
        loop {
            let message = self.receive(method);
            if message["id"] == self.last {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
            self.events.push_back(message);
        }
    }

    fn receive(&self, what: &str) -> Value {
        let message = self.answers.recv_timeout(PATIENCE);
        message.unwrap_or_else(|error| panic!("{what}: no answer of the browser: {error}"))
    }

    /// Loads a file and gives all events until it is complete.
    pub fn load(&mut self, file: &Path) -> Vec<Value> {
        self.events.clear();
        let url = format!("file://{}", file.canonicalize().unwrap().display());
        let answer = self.ask("Page.navigate", json!({ "url": url }));
        assert!(answer["errorText"].is_null(), "{answer}");
        while !self
            .events
            .iter()
            .any(|event| event["method"] == "Page.loadEventFired")
        {
            let event = self.receive("Page.loadEventFired");
            self.events.push_back(event);
        }
        self.events.drain(..).collect()
    }

    /// The value of an expression in the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true });
        let answer = self.ask("Runtime.evaluate", params);
        assert!(answer["exceptionDetails"].is_null(), "{answer}");
        answer["result"]["value"].clone()
    }
}

/// Messages end with a zero byte.
fn listen(output: File) -> Receiver<Value> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for message in BufReader::new(output).split(0) {
            let message = message
                .ok()
                .and_then(|bytes| serde_json::from_slice(&bytes).ok());
            let Some(message) = message else {
                return;
            };
            if sender.send(message).is_err() {
                return;
            }
        }
    });
    receiver
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A browser that has ended already needs no end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
