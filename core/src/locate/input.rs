//! What a fit refuses.

use super::{MAX_SOURCES, PROPOSAL_FIELD, Proposal, WINDOW_LEN};
use crate::error::{Error, Result, check_len};
use crate::physics::FRAME_LEN;

/// Five frames of finite counts, except where they are excluded.
pub(super) fn check_window(frames: &[f32], excluded: Option<&[bool]>) -> Result<()> {
    check_len("frames", WINDOW_LEN, frames.len())?;
    if let Some(flags) = excluded.filter(|flags| flags.len() != FRAME_LEN) {
        check_len("excluded pixels", WINDOW_LEN, flags.len())?;
    }
    let flags = excluded.unwrap_or(&[false]).iter().cycle();
    let mut counts = frames.iter().zip(flags);
    let bad = counts.position(|(count, flag)| !count.is_finite() && !flag);
    bad.map_or(Ok(()), |index| Err(not_finite("frames", index)))
}

/// At most 8, near the frame, beliefs positive definite.
pub(super) fn check_proposals(proposals: &[Proposal]) -> Result<()> {
    if proposals.len() > MAX_SOURCES {
        return domain("proposals", "at most 8", proposals.len() as f64);
    }
    for (index, proposal) in proposals.iter().enumerate() {
        let [xx, xy, yy] = proposal.precision.unwrap_or([1.0, 0.0, 1.0]);
        let fields = [proposal.x, proposal.y, proposal.intensity, xx, xy, yy];
        if !fields.iter().all(|field| field.is_finite()) {
            return Err(not_finite("proposals", index));
        }
        if let Some(&outside) = [proposal.x, proposal.y]
            .iter()
            .find(|u| !PROPOSAL_FIELD.contains(*u))
        {
            return domain("proposal position", "-2 to 12 pixels", outside);
        }
        let determinant = xx * yy - xy * xy;
        let definite = xx > 0.0 && yy > 0.0 && determinant > 0.0 && determinant.is_finite();
        if !definite {
            return domain("proposal precision", "a positive determinant", determinant);
        }
    }
    Ok(())
}

fn not_finite(what: &'static str, index: usize) -> Error {
    Error::NotFinite { what, index }
}

fn domain(what: &'static str, expected: &'static str, got: f64) -> Result<()> {
    Err(Error::Domain {
        what,
        expected,
        got,
    })
}
