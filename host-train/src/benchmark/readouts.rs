//! How the answers of a row are read.

use super::row::Work;
use super::text::{OffGrid, RowText};
use crate::methods::{Answers, Method, Readout, Solution};
use crate::{Error, Result};

/// Which readouts the row gets.
pub(super) fn readouts(
    text: &RowText,
    method: Option<&Method>,
    work: &Work,
) -> Result<(bool, OffGrid)> {
    let head = match work {
        Work::Model(model) => model.config()?.head.is_some(),
        _ => false,
    };
    let solution = method.map(|method| method.solution);
    let is_detector = match (work, solution) {
        (Work::Method(_), Some(Solution::Network(network))) => network.answers() == Answers::Masks,
        _ => matches!(work, Work::Detector(_)),
    };
    let usual = match (work, solution) {
        (Work::Fit, _) => (false, OffGrid::Fit),
        _ if is_detector => (false, OffGrid::Components),
        (Work::Model(_), Some(Solution::DeRefNet { readout, .. })) => match readout {
            Readout::OffGrid => (false, OffGrid::HeadFit),
            Readout::Grid | Readout::QuantisedGrid => (true, OffGrid::FitFromMap),
        },
        (Work::Model(_), None) if head => (true, OffGrid::HeadFit),
        _ => (true, OffGrid::FitFromMap),
    };
    let has_map = !(is_detector || matches!(work, Work::Fit));
    let grid = text.grid.unwrap_or(usual.0);
    let off_grid = text.off_grid.unwrap_or(usual.1);
    let needs_head = matches!(off_grid, OffGrid::Head | OffGrid::HeadFit);
    if needs_head && !head {
        let message = format!(
            "off_grid is {}, but the row has no offset head",
            off_grid.name()
        );
        return Err(Error::usage(message));
    }
    if !has_map && grid {
        return Err(Error::usage("grid: the row has no map"));
    }
    let name = off_grid.name();
    if is_detector && off_grid != OffGrid::Components {
        let message = format!("off_grid is {name}, expected components: the row is a detector");
        return Err(Error::usage(message));
    }
    if !is_detector && off_grid == OffGrid::Components {
        let message = "off_grid is components, which only detectors have";
        return Err(Error::usage(message));
    }
    if !has_map && off_grid == OffGrid::FitFromMap {
        let message = format!("off_grid is {name}, but the row has no map");
        return Err(Error::usage(message));
    }
    if !grid && off_grid == OffGrid::None {
        return Err(Error::usage(
            "off_grid is none, expected a readout or a grid",
        ));
    }
    Ok((grid, off_grid))
}
