//! Slots of a kernel's registers, constants and special registers.

use std::collections::HashMap;

use super::operation::{Place, Slot, Special};

/// Hands out slots; the same name or constant gets the same one.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    named: HashMap<String, Class>,
    special: HashMap<Special, Slot>,
    single: HashMap<u32, Slot>,
    double: HashMap<u64, Slot>,
    truth: HashMap<bool, Slot>,
    /// Slots of 32 bits in use.
    pub singles: Slot,
    /// Slots of 64 bits in use.
    pub doubles: Slot,
    /// Predicates in use.
    pub predicates: Slot,
}

/// A register by its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Of 32 bits or 64.
    Number(Place),
    /// A predicate.
    Predicate(Slot),
}

fn fresh(count: &mut Slot) -> Slot {
    *count += 1;
    *count - 1
}

impl Slots {
    /// The register `name`, of `bytes` bytes; 1 for a predicate.
    pub fn register(&mut self, name: &str, bytes: u64) -> Class {
        if let Some(class) = self.named.get(name) {
            return *class;
        }
        let class = match bytes {
            1 => Class::Predicate(fresh(&mut self.predicates)),
            8 => Class::Number(Place::Double(fresh(&mut self.doubles))),
            _ => Class::Number(Place::Single(fresh(&mut self.singles))),
        };
        self.named.insert(name.to_owned(), class);
        class
    }

    /// A 32-bit constant.
    pub fn single(&mut self, value: u32) -> Slot {
        let count = &mut self.singles;
        *self.single.entry(value).or_insert_with(|| fresh(count))
    }

    /// A 64-bit constant.
    pub fn double(&mut self, value: u64) -> Slot {
        let count = &mut self.doubles;
        *self.double.entry(value).or_insert_with(|| fresh(count))
    }

    /// A predicate that always or never holds.
    pub fn truth(&mut self, value: bool) -> Slot {
        let count = &mut self.predicates;
        *self.truth.entry(value).or_insert_with(|| fresh(count))
    }

    /// A special register, of 32 bits.
    pub fn special(&mut self, what: Special) -> Slot {
        let count = &mut self.singles;
        *self.special.entry(what).or_insert_with(|| fresh(count))
    }

    /// A slot of 32 bits that nobody reads.
    pub fn spare(&mut self) -> Slot {
        fresh(&mut self.singles)
    }

    /// All 32-bit constants.
    pub fn singles(&self) -> impl Iterator<Item = (Slot, u32)> {
        self.single.iter().map(|(value, slot)| (*slot, *value))
    }

    /// All 64-bit constants.
    pub fn doubles(&self) -> impl Iterator<Item = (Slot, u64)> {
        self.double.iter().map(|(value, slot)| (*slot, *value))
    }

    /// All constant predicates.
    pub fn truths(&self) -> impl Iterator<Item = (Slot, bool)> {
        self.truth.iter().map(|(value, slot)| (*slot, *value))
    }

    /// All special registers.
    pub fn specials(&self) -> impl Iterator<Item = (Slot, Special)> {
        self.special.iter().map(|(what, slot)| (*slot, *what))
    }
}
