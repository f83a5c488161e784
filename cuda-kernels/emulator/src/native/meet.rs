//! Where threads of a block wait for each other: barriers, exchanges, products of fragments.

use std::ffi::CStr;
use std::ops::Range;

use super::threads::{Site, Threads, Wait};
use crate::error::{Code, Fault, Result};
use crate::machine::{LANES, together};

impl Threads {
    /// Exchanges between lanes of a warp that all came; whether there were any.
    pub(super) fn deliver(&mut self, warp: Range<usize>) -> bool {
        let mut any = self.multiply(warp.clone());
        for index in warp.clone() {
            let Wait::Lanes { mask, size, at, .. } = self.threads[index].wait else {
                continue;
            };
            let mut members = warp.clone().filter(|i| mask >> (i - warp.start) & 1 != 0);
            let came = |wait: Wait| match wait {
                Wait::Lanes {
                    mask: m,
                    at: a,
                    size: s,
                    ..
                } => (m, a, s) == (mask, at, size),
                other => other == Wait::Done,
            };
            if members.all(|i| came(self.threads[i].wait)) {
                self.hand_over(warp.clone(), mask, size);
                any = true;
            }
        }
        any
    }

    /// Products of a warp's fragments, once all lanes came; whether there was one.
    fn multiply(&mut self, warp: Range<usize>) -> bool {
        let place = |wait: Wait| match wait {
            Wait::Product { at, .. } => Some(at),
            _ => None,
        };
        let at = place(self.threads[warp.start].wait);
        let warp = &mut self.threads[warp];
        if at.is_none() || warp.len() < LANES || warp.iter().any(|t| place(t.wait) != at) {
            return false;
        }
        let (mut a, mut b, mut c) = ([[0; LANES]; 4], [[0; LANES]; 2], [[0; LANES]; 4]);
        for (lane, thread) in warp.iter().enumerate() {
            let Wait::Product { sums, .. } = thread.wait else {
                continue;
            };
            let words = thread.message.chunks_exact(4);
            let words = words.map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
            for (register, word) in a.iter_mut().chain(&mut b).zip(words) {
                register[lane] = word;
            }
            for (index, register) in c.iter_mut().enumerate() {
                // SAFETY: the shim gives four sums.
                register[lane] = unsafe { sums.add(index).read() }.to_bits();
            }
        }
        let d = together::product(&a, &b, &c);
        for (lane, thread) in warp.iter_mut().enumerate() {
            if let Wait::Product { sums, .. } = thread.wait {
                for (index, register) in d.iter().enumerate() {
                    // SAFETY: as above.
                    unsafe { sums.add(index).write(f32::from_bits(register[lane])) };
                }
            }
            thread.wait = Wait::Nothing;
        }
        true
    }

    fn hand_over(&mut self, warp: Range<usize>, mask: u32, size: usize) {
        let warp = &mut self.threads[warp];
        let messages: Vec<_> = warp.iter().map(|t| t.message).collect();
        for (lane, thread) in warp.iter_mut().enumerate() {
            let Wait::Lanes { all, .. } = thread.wait else {
                continue;
            };
            if mask >> lane & 1 == 0 {
                continue;
            }
            for (from, message) in messages.iter().enumerate() {
                // SAFETY: the shim gives room for 32 messages of `size` bytes.
                unsafe {
                    std::ptr::copy_nonoverlapping(message.as_ptr(), all.add(from * size), size);
                }
            }
            thread.wait = Wait::Nothing;
        }
    }

    /// Lets all threads pass the barrier that they wait at; false if all are done.
    pub(super) fn release(&mut self) -> Result<bool> {
        let waits = || self.threads[..self.count].iter().map(|thread| thread.wait);
        if waits().all(|wait| wait == Wait::Done) {
            return Ok(false);
        }
        let first = waits()
            .find(|wait| *wait != Wait::Done)
            .unwrap_or(Wait::Done);
        let same = matches!(first, Wait::Barrier(_)) && waits().all(|wait| wait == first);
        if !same {
            let mut places: Vec<String> = waits().map(describe).collect();
            places.sort();
            places.dedup();
            let text = format!(
                "barrier in divergent code: some threads {}",
                places.join(", some ")
            );
            return Err(Fault::new(Code::LAUNCH_FAILED, text));
        }
        for thread in &mut self.threads[..self.count] {
            thread.wait = Wait::Nothing;
        }
        Ok(true)
    }
}

fn describe(wait: Wait) -> String {
    match wait {
        Wait::Nothing => "run".to_owned(),
        Wait::Done => "have returned".to_owned(),
        Wait::Barrier(at) => format!("wait at {}", site(at)),
        Wait::Product { at, .. } => format!("wait for their warp at {}", site(at)),
        Wait::Lanes { mask, at, .. } => format!("wait for lanes {mask:#010x} at {}", site(at)),
    }
}

fn site((file, line): Site) -> String {
    // SAFETY: the shim gives `__FILE__`.
    let file = unsafe { CStr::from_ptr(file) }.to_string_lossy();
    let name = file.rsplit('/').next().unwrap_or_default();
    format!("{name}:{line}")
}
