//! The logs of a run as a TensorBoard events file.
//!
//! A file is a row of TFRecords: length (u64), masked CRC-32C of those eight bytes, data, masked
//! CRC-32C of the data, all little-endian. The data are protobuf messages `Event` of TensorFlow's
//! `event.proto`: `wall_time = 1` (double), `step = 2` (varint), `file_version = 3` (string),
//! `summary = 5`, which repeats `value = 1` of `tag = 1` (string) and `simple_value = 2` (float).
//!
//! Wall times are seconds of training since 1970: they leave out pauses, and the file follows from
//! the logs alone.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use super::journal::{LogRow, ValidationRow, rounded};
use crate::{Error, Result, atomic};

/// Name of the file; viewers look for `tfevents`.
pub const EVENTS: &str = "events.out.tfevents.0.derefnet";

/// Brings the file at `path` up to date with the logs.
///
/// What is there already is kept in place if it is the beginning of the new content: a viewer that
/// has the file open goes on reading. Otherwise, after a resume, the file is replaced as a whole.
pub(super) fn write(path: &Path, rows: &[LogRow], validations: &[ValidationRow]) -> Result<()> {
    let bytes = encode(rows, validations);
    let refuse = |source| Error::io(path, source);
    match std::fs::read(path) {
        Ok(old) if bytes.starts_with(&old) => {
            let mut file = OpenOptions::new().append(true).open(path).map_err(refuse)?;
            file.write_all(&bytes[old.len()..]).map_err(refuse)
        }
        _ => atomic::write_bytes(path, &bytes),
    }
}

/// The whole file: events by step, a step's losses before its validation.
fn encode(rows: &[LogRow], validations: &[ValidationRow]) -> Vec<u8> {
    let mut version = double(1, 0.0);
    version.extend(bytes(3, b"brain.Event:2"));
    let mut file = record(&version);
    let (mut time, mut last) = (0.0, 0);
    let mut validations = validations.iter().peekable();
    for row in rows {
        while let Some(early) = validations.next_if(|v| v.step < row.step) {
            file.extend(record(&event(time, early.step, &validation(early))));
        }
        time += rounded(row.seconds) * row.step.saturating_sub(last) as f64;
        last = row.step;
        file.extend(record(&event(time, row.step, &losses(row))));
    }
    for late in validations {
        file.extend(record(&event(time, late.step, &validation(late))));
    }
    file
}

fn losses(row: &LogRow) -> [(&'static str, f64); 5] {
    [
        ("loss/total", row.loss),
        ("loss/constraint", row.constraint),
        ("loss/align", row.align),
        ("loss/regression", row.regression),
        ("rate", row.rate),
    ]
}

fn validation(row: &ValidationRow) -> [(&'static str, f64); 6] {
    let [a, b, c, d, e] = row.aps;
    [
        ("validation/cso_map", row.cso_map),
        ("validation/ap05", a),
        ("validation/ap10", b),
        ("validation/ap15", c),
        ("validation/ap20", d),
        ("validation/ap25", e),
    ]
}

/// Message `Event` with a summary; values rounded as in the CSV files, from which they are read
/// again on resume.
fn event(time: f64, step: u64, scalars: &[(&str, f64)]) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, value) in scalars {
        let mut scalar = bytes(1, tag.as_bytes());
        scalar.push(key(2, 5));
        scalar.extend((rounded(*value) as f32).to_le_bytes());
        summary.extend(bytes(1, &scalar));
    }
    let mut event = double(1, time);
    event.push(key(2, 0));
    event.extend(varint(step));
    event.extend(bytes(5, &summary));
    event
}

/// Key of a protobuf field: wire type 0 is a varint, 1 eight bytes, 2 length and bytes, 5 four bytes.
const fn key(field: u8, wire: u8) -> u8 {
    field << 3 | wire
}

fn double(field: u8, value: f64) -> Vec<u8> {
    let mut out = vec![key(field, 1)];
    out.extend(value.to_le_bytes());
    out
}

fn bytes(field: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![key(field, 2)];
    out.extend(varint(content.len() as u64));
    out.extend(content);
    out
}

/// Seven bits a byte, lowest first; all but the last byte have the top bit set.
fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut out = length.to_vec();
    out.extend(masked(&length).to_le_bytes());
    out.extend(data);
    out.extend(masked(data).to_le_bytes());
    out
}

/// The masking of TFRecord: a CRC of data that hold CRCs is weak.
fn masked(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xA282_EAD8)
}

/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), bit by bit: these files are small.
fn crc32c(data: &[u8]) -> u32 {
    let bit = |crc: u32| crc >> 1 ^ (0x82F6_3B78 & (crc & 1).wrapping_neg());
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| bit(crc));
    !data.iter().fold(!0, byte)
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
