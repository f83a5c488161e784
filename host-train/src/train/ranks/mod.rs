//! Training in several processes at once, by data: each rank computes the gradients of its share of
//! every batch, and all take the same step.
//!
//! Batches, their order and everything random are those of a lone process. The gradients that a lone
//! process would sum over the whole batch are summed by rank and then over ranks in their order, so
//! runs on equally many ranks have the same bits, and others differ by the order of summation. Rank
//! 0, the lead, alone reads and writes the run directory; it sends its state to the others when the
//! run begins.

#[cfg(feature = "mpi")]
pub mod mpi;
mod wire;

use std::ops::Range;
use std::path::Path;

use super::run::CHECKPOINT;
use super::{Checkpoint, TrainConfig};
use crate::{Error, Result};
pub use wire::Wire;

/// Who trains: this process alone, or several ranks together.
pub struct Ranks(Option<Box<dyn Wire>>);

impl Ranks {
    /// This process alone.
    pub fn alone() -> Self {
        Self(None)
    }

    /// The ranks that `wire` connects.
    pub fn over(wire: impl Wire + 'static) -> Self {
        Self((wire.count() > 1).then(|| Box::new(wire) as Box<dyn Wire>))
    }

    /// Number of this rank, from 0.
    pub fn rank(&self) -> usize {
        self.0.as_ref().map_or(0, |wire| wire.rank())
    }

    /// How many ranks train.
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(1, |wire| wire.count())
    }

    /// Whether this rank reads and writes the run directory.
    pub fn leads(&self) -> bool {
        self.rank() == 0
    }

    /// This rank's items of a batch of `items`: consecutive, and at most one more than another's.
    pub fn share(&self, items: usize) -> Range<usize> {
        let from = |rank| items * rank / self.count();
        from(self.rank())..from(self.rank() + 1)
    }

    /// Puts means over all ranks in the place of `values`, of which this rank's count `weight` times.
    ///
    /// Each rank adds up one part of the values for all: they have the same bits everywhere.
    pub(super) fn average(&self, values: &mut Vec<f32>, weight: f32) {
        let Some(wire) = &self.0 else { return };
        let (count, len) = (wire.count(), values.len());
        // Each part is followed by its weight.
        let part = len.div_ceil(count);
        values.resize(part * count, 0.0);
        let mut parts = Vec::with_capacity((part + 1) * count);
        for values in values.chunks_exact(part) {
            parts.extend_from_slice(values);
            parts.push(weight);
        }
        let mut received = vec![0.0; parts.len()];
        wire.exchange(&parts, &mut received);
        wire.gather(&weighted_mean(&received, part), values);
        values.truncate(len);
    }

    /// Whether it is so on any rank.
    pub(super) fn any(&self, own: bool) -> bool {
        let mut all = vec![0; self.count()];
        match &self.0 {
            Some(wire) => wire.gather_bytes(&[u8::from(own)], &mut all),
            None => return own,
        }
        all.contains(&1)
    }

    /// The outcome of this rank where it is good on all; every rank calls this.
    ///
    /// # Errors
    /// On every rank what the first one met that met something, as [`Error::Together`].
    pub fn agree<T>(&self, own: Result<T>) -> Result<T> {
        let Some(wire) = &self.0 else { return own };
        let report = own.as_ref().err().map(report).unwrap_or_default();
        let reports = texts(wire.as_ref(), &report);
        let mut met = reports.iter().enumerate().filter(|(_, r)| !r.is_empty());
        let Some((rank, report)) = met.next() else {
            return own;
        };
        let message = String::from_utf8_lossy(&report[1..]);
        let message = match (rank, report[0]) {
            // Where it was pressed does not matter.
            (0, _) | (_, INTERRUPTED) => message.into_owned(),
            _ => format!("rank {rank}: {message}"),
        };
        Err(Error::Together {
            message,
            code: report[0],
            told: !self.leads(),
        })
    }

    /// Checks that `own`, which messages call `what`, is the same on all ranks.
    ///
    /// # Errors
    /// On every rank, with the first rank whose own is not the lead's.
    pub(super) fn same(&self, what: &str, own: &str) -> Result<()> {
        let Some(wire) = &self.0 else { return Ok(()) };
        let all = texts(wire.as_ref(), own.as_bytes());
        let lead = String::from_utf8_lossy(&all[0]);
        self.agree(if lead == own {
            Ok(())
        } else {
            Err(Error::usage(format!(
                "{what} is {own}, expected that of rank 0, {lead}"
            )))
        })
    }

    /// Checks that ranks and `config` fit together, and that it is the same on all ranks.
    ///
    /// # Errors
    /// On every rank; the message names the first field in which a rank departs from the lead.
    pub(super) fn check(&self, config: &TrainConfig) -> Result<()> {
        let Some(wire) = &self.0 else { return Ok(()) };
        self.agree(self.check_batch(config))?;
        let table = toml::Table::try_from(config).map_err(|e| Error::usage(e.to_string()));
        let own = self.agree(table)?;
        let mut bytes = own.to_string().into_bytes();
        send_all(wire.as_ref(), &mut bytes);
        let lead = std::str::from_utf8(&bytes)
            .ok()
            .and_then(|t| t.parse().ok());
        let expected = lead.unwrap_or_default();
        self.agree(match difference(&own, &expected) {
            None => Ok(()),
            Some([field, found, expected]) => Err(Error::usage(format!(
                "{field} is {found}, expected that of rank 0, {expected}"
            ))),
        })
    }

    /// Checks that every rank has something to do.
    fn check_batch(&self, config: &TrainConfig) -> Result<()> {
        let (count, batch) = (self.count(), config.batch);
        if batch >= count {
            return Ok(());
        }
        Err(Error::usage(format!(
            "batch is {batch}, expected at least {count}: a trajectory for every rank"
        )))
    }

    /// The state that the lead makes, on every rank; messages call it the checkpoint in `folder`.
    ///
    /// # Errors
    /// Those of the lead, on every rank.
    pub(super) fn state_of_lead(
        &self,
        folder: &Path,
        make: impl FnOnce() -> Result<Checkpoint>,
    ) -> Result<Checkpoint> {
        let path = folder.join(CHECKPOINT);
        let Some(wire) = &self.0 else {
            return make();
        };
        let made = self.leads().then(make).transpose();
        let content = made.and_then(|made| {
            let bytes = made.as_ref().map(|state| state.to_bytes(&path));
            Ok((bytes.transpose()?.unwrap_or_default(), made))
        });
        let (mut bytes, made) = self.agree(content)?;
        send_all(wire.as_ref(), &mut bytes);
        self.agree(match made {
            Some(state) => Ok(state),
            None => Checkpoint::from_bytes(&path, &bytes),
        })
    }
}

/// Exit code of [`Error::Interrupted`].
const INTERRUPTED: u8 = 130;

/// Exit code and message.
fn report(error: &Error) -> Vec<u8> {
    [&[error.exit_code()], error.to_string().as_bytes()].concat()
}

/// Means of the parts of `received`, each `part` values and their weight, added in order.
fn weighted_mean(received: &[f32], part: usize) -> Vec<f32> {
    let mut sums = vec![0.0f64; part];
    let mut total = 0.0;
    for values in received.chunks_exact(part + 1) {
        let weight = f64::from(values[part]);
        total += weight;
        for (sum, &value) in sums.iter_mut().zip(values) {
            *sum += weight * f64::from(value);
        }
    }
    sums.iter().map(|sum| (sum / total) as f32).collect()
}

/// The `own` of every rank, which may differ in length.
fn texts(wire: &dyn Wire, own: &[u8]) -> Vec<Vec<u8>> {
    let count = wire.count();
    let mut lengths = vec![0; 8 * count];
    wire.gather_bytes(&(own.len() as u64).to_le_bytes(), &mut lengths);
    let lengths = lengths.as_chunks::<8>().0.iter();
    let lengths: Vec<usize> = lengths.map(|n| u64::from_le_bytes(*n) as usize).collect();
    let longest = lengths.iter().copied().max().unwrap_or(0);
    if longest == 0 {
        return vec![Vec::new(); count];
    }
    let mut padded = own.to_vec();
    padded.resize(longest, 0);
    let mut all = vec![0; longest * count];
    wire.gather_bytes(&padded, &mut all);
    let parts = all.chunks_exact(longest).zip(lengths);
    parts.map(|(part, len)| part[..len].to_vec()).collect()
}

/// Replaces `bytes` by those of the lead.
fn send_all(wire: &dyn Wire, bytes: &mut Vec<u8>) {
    let mut len = (bytes.len() as u64).to_le_bytes();
    wire.broadcast(&mut len);
    bytes.resize(u64::from_le_bytes(len) as usize, 0);
    wire.broadcast(bytes);
}

/// Name and both values of the first field in which two tables differ.
fn difference(found: &toml::Table, expected: &toml::Table) -> Option<[String; 3]> {
    let text = |value: Option<&toml::Value>| value.map_or("not set".to_owned(), |v| v.to_string());
    let mut keys: Vec<&String> = found.keys().chain(expected.keys()).collect();
    keys.sort();
    keys.iter().find_map(|&key| {
        let values = (found.get(key), expected.get(key));
        match values {
            (Some(toml::Value::Table(f)), Some(toml::Value::Table(e))) => {
                let [field, f, e] = difference(f, e)?;
                Some([format!("{key}.{field}"), f, e])
            }
            (f, e) if f == e => None,
            (f, e) => Some([key.clone(), text(f), text(e)]),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rank that no other answers.
    struct Lone(usize, usize);

    impl Wire for Lone {
        fn rank(&self) -> usize {
            self.0
        }
        fn count(&self) -> usize {
            self.1
        }
        fn gather_bytes(&self, _: &[u8], _: &mut [u8]) {}
        fn gather(&self, _: &[f32], _: &mut [f32]) {}
        fn exchange(&self, _: &[f32], _: &mut [f32]) {}
        fn broadcast(&self, _: &mut [u8]) {}
    }

    #[test]
    fn shares_are_all_items_once_and_as_even_as_can_be() {
        for (items, count) in [(1, 1), (4, 2), (7, 3), (64, 5), (3, 3)] {
            let ranks = (0..count).map(|rank| Ranks::over(Lone(rank, count)));
            let shares: Vec<_> = ranks.map(|ranks| ranks.share(items)).collect();
            let all: Vec<usize> = shares.iter().cloned().flatten().collect();
            assert_eq!(all, (0..items).collect::<Vec<_>>());
            let lengths = shares.iter().map(ExactSizeIterator::len);
            let (least, most) = (lengths.clone().min(), lengths.max());
            assert!(most.unwrap() - least.unwrap() <= 1, "{shares:?}");
        }
    }

    /// 2 × 1 + 6 × 3 over 8, and 2 × -4 + 6 × 0.5 over 8.
    #[test]
    fn means_weigh_what_ranks_bring() {
        let received = [1.0, -4.0, 2.0, 3.0, 0.5, 6.0];
        assert_eq!(weighted_mean(&received, 2), [2.5, -0.625]);
    }

    #[test]
    fn differences_name_the_field() {
        let parse = |text: &str| text.parse::<toml::Table>().unwrap();
        let [a, b] = ["seed = 1\n[scene]\nnoise = [0.0, 5.0]\n", "seed = 1\n"].map(parse);
        let expected = ["scene", "{ noise = [0.0, 5.0] }", "not set"].map(str::to_owned);
        assert_eq!(difference(&a, &b), Some(expected));
        let c = parse("seed = 1\n[scene]\nnoise = [0.0, 4.0]\n");
        let expected = ["scene.noise", "[0.0, 5.0]", "[0.0, 4.0]"].map(str::to_owned);
        assert_eq!(difference(&a, &c), Some(expected));
        assert_eq!(difference(&a, &a), None);
    }

    #[test]
    fn one_process_is_alone() {
        let mut values = vec![1.5];
        for ranks in [Ranks::alone(), Ranks::over(Lone(0, 1))] {
            assert!(ranks.leads() && ranks.any(true) && !ranks.any(false));
            assert_eq!((ranks.count(), ranks.share(5)), (1, 0..5));
            ranks.average(&mut values, 3.0);
            assert_eq!(values, [1.5]);
            let own: Result<()> = ranks.agree(Err(Error::Interrupted));
            assert!(matches!(own, Err(Error::Interrupted)));
        }
    }
}
