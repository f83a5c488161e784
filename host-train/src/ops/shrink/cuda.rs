//! Entrywise thresholds on a GPU.

use derefnet_cuda_kernels::{
    Kernel, RULE_HARD, RULE_SOFT, RULE_SUPPORT, RowGeometry, SHRINK, SHRINK_GRADIENT,
    SHRINK_QUANTILE, SHRINK_THRESHOLD_GRADIENT,
};

use super::{Place, Rule, Shrink};
use crate::backend::Backend;
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid, count, geometry};
use crate::ops::{Operator, Saved, as_on_the_cpu};

impl Rule {
    /// As kernels have it.
    fn number(self) -> u32 {
        match self {
            Self::Soft => RULE_SOFT,
            Self::Hard => RULE_HARD,
            Self::Support(_) => RULE_SUPPORT,
        }
    }
}

impl Shrink {
    /// The magnitude that entries of each row have to exceed to pass unchanged, where the rule asks
    /// for one.
    fn least(&self, cuda: &Cuda, v: &Buffer) -> Option<Buffer> {
        let Rule::Support(share) = self.rule else {
            return None;
        };
        let place = Place::new(1.0 - share, self.len);
        let least = cuda.alloc(self.rows);
        let arguments = [
            Argument::Count(self.len),
            Argument::Count(place.below),
            Argument::Count(place.above),
            Argument::Float(place.fraction),
            Argument::In(v),
            Argument::Out(&least),
        ];
        cuda.launch(&SHRINK_QUANTILE, Grid::each(self.rows), &arguments);
        Some(least)
    }

    /// Runs `kernel` over all entries; `inputs` are `v` and `θ`, `more` what it has behind `least`.
    fn run(
        &self,
        cuda: &Cuda,
        kernel: &Kernel,
        inputs: &[&Buffer],
        least: Option<&Buffer>,
        more: &[Argument<'_>],
    ) {
        let g = RowGeometry {
            rows: count(self.rows),
            len: count(self.len),
        };
        let first = [
            geometry(&g),
            Argument::Count(self.rule.number() as usize),
            Argument::In(inputs[0]),
            Argument::In(inputs[1]),
            least.map_or(Argument::Null, Argument::In),
        ];
        let grid = Grid::over(self.rows * self.len);
        cuda.launch(kernel, grid, &[&first, more].concat());
    }
}

impl Operator<Cuda> for Shrink {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        let least = self.least(cuda, inputs[0]);
        let more = [Argument::Out(output)];
        self.run(cuda, &SHRINK, inputs, least.as_ref(), &more);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        let least = self.least(cuda, saved.inputs[0]);
        let kernels = [&SHRINK_GRADIENT, &SHRINK_THRESHOLD_GRADIENT];
        for (grad, kernel) in grads.iter().zip(kernels) {
            let Some(grad) = grad else { continue };
            let more = [Argument::In(saved.grad), Argument::Out(grad)];
            self.run(cuda, kernel, saved.inputs, least.as_ref(), &more);
        }
    }
}
