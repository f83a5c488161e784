//! Ranks that are threads of one process.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use derefnet::train::Ranks;
use derefnet::train::ranks::Wire;

/// One thread's connections: to every rank, this one among them, and from every rank.
struct Channels {
    rank: usize,
    to: Vec<Sender<Vec<u8>>>,
    from: Mutex<Vec<Receiver<Vec<u8>>>>,
}

/// Runs `work` on `count` ranks at once; their results in the order of ranks.
///
/// # Panics
/// If a rank panics; the others then end for want of an answer.
pub fn together<T: Send>(count: usize, work: impl Fn(Ranks) -> T + Sync) -> Vec<T> {
    let connected = connect(count);
    let work = &work;
    thread::scope(|scope| {
        let start = |channels| scope.spawn(move || work(Ranks::over(channels)));
        let threads: Vec<_> = connected.into_iter().map(start).collect();
        let results = threads.into_iter().map(|thread| thread.join());
        results.map(|r| r.expect("no rank panics")).collect()
    })
}

fn connect(count: usize) -> Vec<Channels> {
    let (mut to, mut from) = (vec![Vec::new(); count], Vec::new());
    for _receiver in 0..count {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..count).map(|_| channel()).unzip();
        for (all, sender) in to.iter_mut().zip(senders) {
            all.push(sender);
        }
        from.push(Mutex::new(receivers));
    }
    let ranks = to.into_iter().zip(from).enumerate();
    ranks
        .map(|(rank, (to, from))| Channels { rank, to, from })
        .collect()
}

impl Channels {
    /// Sends `parts[r]` to rank `r`, and gives what came from every rank.
    fn swap(&self, parts: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
        for (to, part) in self.to.iter().zip(parts) {
            to.send(part).expect("every rank goes on");
        }
        let from = self.from.lock().expect("a rank is one thread");
        let received = from.iter().map(|from| from.recv());
        received.map(|r| r.expect("every rank goes on")).collect()
    }
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn numbers(parts: &[Vec<u8>]) -> Vec<f32> {
    let values = parts.iter().flat_map(|part| part.as_chunks::<4>().0);
    values.map(|v| f32::from_le_bytes(*v)).collect()
}

impl Wire for Channels {
    fn rank(&self) -> usize {
        self.rank
    }

    fn count(&self) -> usize {
        self.to.len()
    }

    fn gather_bytes(&self, own: &[u8], all: &mut [u8]) {
        let parts = std::iter::repeat_with(|| own.to_vec());
        all.copy_from_slice(&self.swap(parts).concat());
    }

    fn gather(&self, own: &[f32], all: &mut [f32]) {
        let parts = std::iter::repeat_with(|| bytes(own));
        all.copy_from_slice(&numbers(&self.swap(parts)));
    }

    fn exchange(&self, parts: &[f32], received: &mut [f32]) {
        let parts = parts.chunks_exact(parts.len() / self.count());
        received.copy_from_slice(&numbers(&self.swap(parts.map(bytes))));
    }

    fn broadcast(&self, given: &mut [u8]) {
        let parts = std::iter::repeat_with(|| given.to_vec());
        given.copy_from_slice(&self.swap(parts)[0]);
    }
}
