//! NumPy arrays, versions 1 to 3 of the format, either byte order, either memory order.

use std::fs;
use std::path::Path;

use ndarray::{Array2, Array4, Axis, ShapeBuilder};
use npyz::{DType, NpyFile, NpyHeader, Order, TypeChar};

use crate::{Error, Result};

/// Values of a file as `(sequences, frames, rows, columns)`; one sequence if the file has three
/// axes.
pub fn read(path: &Path) -> Result<Array4<f32>> {
    let bytes = fs::read(path).map_err(|source| Error::io(path, source))?;
    decode(path, &bytes, sequences)
}

/// Values of a file of two axes, `(rows, columns)`.
pub fn read_plane(path: &Path) -> Result<Array2<f32>> {
    let bytes = fs::read(path).map_err(|source| Error::io(path, source))?;
    let values = decode(path, &bytes, plane)?;
    Ok(values
        .index_axis_move(Axis(0), 0)
        .index_axis_move(Axis(0), 0))
}

/// The four sizes of an array, from its file's header.
type Shape = fn(&Path, &NpyHeader) -> Result<[usize; 4]>;

fn decode(path: &Path, bytes: &[u8], shape: Shape) -> Result<Array4<f32>> {
    plausible(path, bytes)?;
    let mut rest = bytes;
    let header = NpyHeader::from_reader(&mut rest)
        .map_err(|source| Error::format(path, format!("header: {source}")))?;
    let shape = shape(path, &header)?;
    let order = header.order();
    let values = values(path, header, rest, shape)?;
    let laid_out = match order {
        Order::C => Array4::from_shape_vec(shape, values),
        Order::Fortran => Array4::from_shape_vec(shape.f(), values),
    };
    laid_out.map_err(|source| Error::format(path, format!("shape {shape:?}: {source}")))
}

/// Longest header text looked at; NumPy writes 118 bytes for any array that fits here.
const MAX_HEADER: usize = 1024;
/// With no more digits than this in the header, the product of all sizes fits 64 bits.
const MAX_DIGITS: usize = 18;

/// Refuses headers that would overflow the parser's stack or arithmetic.
fn plausible(path: &Path, bytes: &[u8]) -> Result<()> {
    let (length, start) = match *bytes {
        [_, _, _, _, _, _, 1, _, a, b, ..] => (usize::from(u16::from_le_bytes([a, b])), 10),
        [_, _, _, _, _, _, _, _, a, b, c, d, ..] => (u32::from_le_bytes([a, b, c, d]) as usize, 12),
        _ => return Err(Error::format(path, "header: it ends early")),
    };
    if length > MAX_HEADER {
        let message = format!("header: {length} bytes, expected at most {MAX_HEADER}");
        return Err(Error::format(path, message));
    }
    let text = bytes[start..].iter().take(length);
    let digits = text.filter(|byte| byte.is_ascii_digit()).count();
    if digits > MAX_DIGITS {
        let message = format!("header: {digits} digits, expected at most {MAX_DIGITS}");
        return Err(Error::format(path, message));
    }
    Ok(())
}

fn sizes(header: &NpyHeader) -> Vec<usize> {
    let size = |&size: &u64| usize::try_from(size).unwrap_or(usize::MAX);
    header.shape().iter().map(size).collect()
}

fn sequences(path: &Path, header: &NpyHeader) -> Result<[usize; 4]> {
    match sizes(header)[..] {
        [frames, rows, columns] => Ok([1, frames, rows, columns]),
        [sequences, frames, rows, columns] => Ok([sequences, frames, rows, columns]),
        _ => {
            let expected = "(frames, 11, 11) or (sequences, frames, 11, 11)";
            let message = format!("shape {:?}, expected {expected}", header.shape());
            Err(Error::format(path, message))
        }
    }
}

fn plane(path: &Path, header: &NpyHeader) -> Result<[usize; 4]> {
    match sizes(header)[..] {
        [rows, columns] => Ok([1, 1, rows, columns]),
        _ => {
            let message = format!("shape {:?}, expected (rows, columns)", header.shape());
            Err(Error::format(path, message))
        }
    }
}

/// Checks the type and the number of bytes, then converts.
fn values(path: &Path, header: NpyHeader, rest: &[u8], shape: [usize; 4]) -> Result<Vec<f32>> {
    let kind = header.dtype();
    let refused = || {
        let expected = "f4, f8, i1, i2, i4, u1, u2 or b1";
        Error::format(path, format!("type {}, expected {expected}", kind.descr()))
    };
    let DType::Plain(plain) = &kind else {
        return Err(refused());
    };
    let size = plain.size_field();
    let wanted = shape
        .iter()
        .try_fold(size, |total, &side| total.checked_mul(side as u64));
    if wanted != Some(rest.len() as u64) {
        let wanted = wanted.map_or("more than fits".to_owned(), |wanted| wanted.to_string());
        let found = rest.len();
        let message = format!("{found} bytes of values, expected {wanted} for shape {shape:?}");
        return Err(Error::format(path, message));
    }
    let character = plain.type_char();
    let file = NpyFile::with_header(header, rest);
    let converted = match (character, size) {
        (TypeChar::Float, 4) => file.into_vec::<f32>(),
        (TypeChar::Float, 8) => as_f32(file.into_vec::<f64>(), |value| value as f32),
        (TypeChar::Int, 1) => as_f32(file.into_vec::<i8>(), f32::from),
        (TypeChar::Int, 2) => as_f32(file.into_vec::<i16>(), f32::from),
        (TypeChar::Int, 4) => as_f32(file.into_vec::<i32>(), |value| value as f32),
        (TypeChar::Bool, 1) => as_f32(file.into_vec::<bool>(), |value| f32::from(u8::from(value))),
        (TypeChar::Uint, 1) => as_f32(file.into_vec::<u8>(), f32::from),
        (TypeChar::Uint, 2) => as_f32(file.into_vec::<u16>(), f32::from),
        _ => return Err(refused()),
    };
    converted.map_err(|source| Error::format(path, source.to_string()))
}

fn as_f32<T>(values: std::io::Result<Vec<T>>, convert: fn(T) -> f32) -> std::io::Result<Vec<f32>> {
    Ok(values?.into_iter().map(convert).collect())
}
