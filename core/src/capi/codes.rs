//! What the functions of the C interface return.

use core::ffi::CStr;

use crate::error::Error;
use crate::weights::LoadError;

/// What a function returns: 0 done, 1 no answer yet, below 0 an error.
pub type DrefStatus = i32;

/// Done.
pub const DREF_OK: DrefStatus = 0;
/// The frame is taken; there is no answer before the fifth.
pub const DREF_PENDING: DrefStatus = 1;
/// A pointer is null that must not be.
pub const DREF_ERROR_NULL: DrefStatus = -1;
/// A pointer is not aligned as its type needs, or stream memory not to DREF_STREAM_ALIGNMENT.
pub const DREF_ERROR_ALIGNMENT: DrefStatus = -2;
/// Stream memory is too short.
pub const DREF_ERROR_MEMORY: DrefStatus = -3;
/// The pointer leads to no stream, or to one that was moved.
pub const DREF_ERROR_STREAM: DrefStatus = -4;
/// A field of DrefConfig is outside its range.
pub const DREF_ERROR_CONFIG: DrefStatus = -5;
/// There is no map: another readout, or no answer since the last reset.
pub const DREF_ERROR_NO_MAP: DrefStatus = -6;
/// A frame or a place in it is refused.
pub const DREF_ERROR_FRAME: DrefStatus = -7;
/// The model file does not begin as one does.
pub const DREF_ERROR_MAGIC: DrefStatus = -10;
/// The model file has a format version that this code does not read.
pub const DREF_ERROR_VERSION: DrefStatus = -11;
/// The model file is shorter or longer than it says.
pub const DREF_ERROR_LENGTH: DrefStatus = -12;
/// The model file is damaged.
pub const DREF_ERROR_CHECKSUM: DrefStatus = -13;
/// The header of the model file is none.
pub const DREF_ERROR_HEADER: DrefStatus = -14;
/// A number in the header of the model file is outside its range.
pub const DREF_ERROR_FIELD: DrefStatus = -15;
/// The body of the model file does not have the bytes that its header says.
pub const DREF_ERROR_BODY: DrefStatus = -16;
/// Sums of a layer of the model could leave 32 bits.
pub const DREF_ERROR_RANGE: DrefStatus = -17;
/// The model needs a stream of another kind.
pub const DREF_ERROR_SIZES: DrefStatus = -18;
/// The model lacks the part that the readout needs.
pub const DREF_ERROR_MISSING: DrefStatus = -19;

/// Every code with its text.
pub(super) const TEXTS: [(DrefStatus, &CStr); 19] = [
    (DREF_OK, c"done"),
    (DREF_PENDING, c"frame taken, no answer before the fifth"),
    (DREF_ERROR_NULL, c"null pointer"),
    (DREF_ERROR_ALIGNMENT, c"pointer not aligned"),
    (DREF_ERROR_MEMORY, c"stream memory too short"),
    (DREF_ERROR_STREAM, c"no stream, or one that was moved"),
    (DREF_ERROR_CONFIG, c"configuration out of range"),
    (DREF_ERROR_NO_MAP, c"no map"),
    (DREF_ERROR_FRAME, c"frame or place in it refused"),
    (DREF_ERROR_MAGIC, c"no model file"),
    (DREF_ERROR_VERSION, c"model file of another format version"),
    (
        DREF_ERROR_LENGTH,
        c"model file of another length than it says",
    ),
    (DREF_ERROR_CHECKSUM, c"model file damaged"),
    (DREF_ERROR_HEADER, c"model file without a header"),
    (
        DREF_ERROR_FIELD,
        c"model file: number in the header out of range",
    ),
    (
        DREF_ERROR_BODY,
        c"model file: body of another length than its sizes say",
    ),
    (DREF_ERROR_RANGE, c"model file: sums could leave 32 bits"),
    (DREF_ERROR_SIZES, c"model needs a stream of another kind"),
    (
        DREF_ERROR_MISSING,
        c"model lacks the part that the readout needs",
    ),
];

pub(super) const UNKNOWN: &CStr = c"unknown code";

impl From<LoadError> for Code {
    fn from(error: LoadError) -> Self {
        Self(match error {
            LoadError::Magic => DREF_ERROR_MAGIC,
            LoadError::Version { .. } => DREF_ERROR_VERSION,
            LoadError::Length { .. } => DREF_ERROR_LENGTH,
            LoadError::Checksum { .. } => DREF_ERROR_CHECKSUM,
            LoadError::Header => DREF_ERROR_HEADER,
            LoadError::Field { .. } => DREF_ERROR_FIELD,
            LoadError::Body { .. } => DREF_ERROR_BODY,
            LoadError::Range { .. } => DREF_ERROR_RANGE,
            LoadError::Sizes { .. } => DREF_ERROR_SIZES,
            LoadError::Missing { .. } => DREF_ERROR_MISSING,
        })
    }
}

impl From<Error> for Code {
    fn from(_: Error) -> Self {
        Self(DREF_ERROR_FRAME)
    }
}

/// An error on its way to C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code(pub(super) DrefStatus);

/// What C is told.
pub(super) fn status(result: Result<DrefStatus, Code>) -> DrefStatus {
    result.unwrap_or_else(|Code(status)| status)
}
