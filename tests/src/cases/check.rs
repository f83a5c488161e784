//! Runs problems on a backend and judges the results.

use derefnet::backend::Backend;
use derefnet::ops::{Operator, Saved};

use super::{Case, Sizes, unsigned, wide};
use crate::strategies::mix;
use crate::tolerance::DIFFERENCE_QUOTIENT;

/// Step of the difference quotients: exact in f64, far below any lattice of the problems.
const STEP: f64 = 1.0 / (1 << 16) as f64;
/// Difference quotients per input, where the oracle is cheap.
const QUOTIENTS: usize = 8;
/// Output values times evaluations that the quotients of one problem may cost, roughly.
const QUOTIENT_BUDGET: usize = 600_000;

/// Slope of the oracle by one input value.
#[derive(Clone, Copy, Debug)]
struct Slope {
    input: usize,
    at: usize,
    value: f64,
    /// What the roundings of the outputs that moved may add to it.
    rounding: f64,
}

/// What a problem's results must be; computed once, whatever the number of backends.
#[derive(Debug)]
pub struct Expected {
    inputs: Vec<Vec<f32>>,
    dy: Vec<f32>,
    output: Vec<f64>,
    gradients: Vec<Vec<f64>>,
    sizes: Sizes,
    slopes: Vec<Slope>,
    /// Difference quotients given up because a kink lies within their step.
    pub kinks: usize,
}

impl Expected {
    /// The reference of `case`; `work` is the number of products of its forward pass.
    pub fn new(case: &dyn Case, work: usize) -> Self {
        let inputs = case.inputs();
        let exact: Vec<Vec<f64>> = inputs.iter().map(|i| wide(i)).collect();
        let output = case.forward(&exact);
        let dy = case.output_gradient(output.len());
        let exact_dy = wide(&dy);
        let magnitudes: Vec<Vec<f64>> = exact.iter().map(|i| unsigned(i)).collect();
        let mut expected = Self {
            gradients: case.backward(&exact, &exact_dy),
            sizes: case.sizes(&magnitudes, &unsigned(&exact_dy)),
            inputs,
            dy,
            output,
            slopes: Vec::new(),
            kinks: 0,
        };
        expected.measure_slopes(case, &exact, &exact_dy, work);
        expected
    }

    fn measure_slopes(&mut self, case: &dyn Case, exact: &[Vec<f64>], dy: &[f64], work: usize) {
        let count = (QUOTIENT_BUDGET / work.max(1)).clamp(1, QUOTIENTS);
        let mut moved = exact.to_vec();
        for (input, trained) in case.trained().into_iter().enumerate() {
            for k in 0..count.min(exact[input].len()) {
                let at = mix(k as u64) as usize % exact[input].len();
                if !trained || case.is_convention(exact, input, at) {
                    continue;
                }
                let mut at_distance = |step: f64| {
                    moved[input][at] = exact[input][at] + step;
                    let output = case.forward(&moved);
                    moved[input][at] = exact[input][at];
                    output
                };
                let (left, right) = (at_distance(-STEP), at_distance(STEP));
                let (mut value, mut bend, mut rounding) = (0.0, 0.0, 0.0);
                for (at, g) in dy.iter().enumerate() {
                    value += g * (right[at] - left[at]) / (2.0 * STEP);
                    if left[at] != right[at] {
                        rounding += (g * self.sizes.output[at]).abs() * f64::EPSILON / STEP;
                    }
                    // By magnitude, as the kinks of two outputs may cancel.
                    bend += (g * (right[at] + left[at] - 2.0 * self.output[at]) / STEP).abs();
                }
                if bend > DIFFERENCE_QUOTIENT * self.sizes.gradients[input][at] {
                    self.kinks += 1;
                    continue;
                }
                self.slopes.push(Slope {
                    input,
                    at,
                    value,
                    rounding,
                });
            }
        }
    }

    /// Difference quotients that are compared.
    pub fn quotients(&self) -> usize {
        self.slopes.len()
    }

    /// Runs `case` on `backend`.
    ///
    /// # Errors
    /// Says which value is wrong, and how.
    pub fn check<B: Backend>(&self, case: &dyn Case, backend: &B) -> Result<(), String> {
        let run = Run::new(case, backend);
        run.poison(&self.inputs);
        let inputs: Vec<B::Buffer> = self.inputs.iter().map(|i| backend.upload(i)).collect();
        let plain = backend.download(&run.forward(&inputs));
        let done = run.forward_keeping(&inputs);
        let values = backend.download(&done.output);
        if bits(&plain) != bits(&values) {
            return Err("the output depends on whether a backward pass follows".to_owned());
        }
        let (want, sizes) = (&self.output, &self.sizes.output);
        compare("output", &values, want, sizes, case.tolerance())?;
        let trained = case.trained();
        let grads = run.backward(&inputs, &done, &self.dy, &trained)?;
        for (i, grad) in grads.iter().enumerate() {
            let Some(grad) = grad else { continue };
            let name = format!("gradient {i}");
            let (want, sizes) = (&self.gradients[i], &self.sizes.gradients[i]);
            compare(&name, grad, want, sizes, case.gradient_tolerance())?;
        }
        self.check_slopes(case, &grads)?;
        self.check_selections(&run, &inputs, &done, &grads)
    }

    fn check_slopes(&self, case: &dyn Case, grads: &[Option<Vec<f32>>]) -> Result<(), String> {
        for slope in &self.slopes {
            let Some(grad) = &grads[slope.input] else {
                continue;
            };
            let (got, size) = (
                f64::from(grad[slope.at]),
                self.sizes.gradients[slope.input][slope.at],
            );
            let allowed = (case.gradient_tolerance() + DIFFERENCE_QUOTIENT) * size + slope.rounding;
            if (got - slope.value).abs() > allowed {
                return Err(format!("{slope:?} of the oracle, but gradient {got}"));
            }
        }
        Ok(())
    }

    /// Leaving out gradients must not change the others, nor create any.
    fn check_selections<B: Backend>(
        &self,
        run: &Run<'_, B>,
        inputs: &[B::Buffer],
        done: &Done<B>,
        all: &[Option<Vec<f32>>],
    ) -> Result<(), String> {
        let trained: Vec<usize> = (0..all.len()).filter(|&i| all[i].is_some()).collect();
        let mut selections: Vec<Vec<usize>> = trained.iter().map(|&i| vec![i]).collect();
        selections.extend(
            trained
                .iter()
                .map(|&out| trained.iter().copied().filter(|&i| i != out).collect()),
        );
        for chosen in selections {
            let wanted: Vec<bool> = (0..all.len()).map(|i| chosen.contains(&i)).collect();
            let grads = run.backward(inputs, done, &self.dy, &wanted)?;
            for i in chosen {
                let same = match (&grads[i], &all[i]) {
                    (Some(a), Some(b)) => bits(a) == bits(b),
                    _ => false,
                };
                if !same {
                    return Err(format!(
                        "gradient {i} depends on which others are asked for"
                    ));
                }
            }
        }
        Ok(())
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// What a forward pass leaves for the backward pass.
struct Done<B: Backend> {
    output: B::Buffer,
    kept: B::Buffer,
}

/// An operator on a backend.
struct Run<'b, B: Backend> {
    backend: &'b B,
    kernels: Box<dyn Operator<B>>,
}

impl<'b, B: Backend> Run<'b, B> {
    fn new(case: &dyn Case, backend: &'b B) -> Self {
        Self {
            backend,
            kernels: backend.kernels(case.op()),
        }
    }

    /// A buffer whose every value must be overwritten.
    fn unspecified(&self, len: usize) -> B::Buffer {
        let mut buffer = self.backend.alloc(len);
        self.backend.fill(&mut buffer, f32::NAN);
        buffer
    }

    fn forward(&self, inputs: &[B::Buffer]) -> B::Buffer {
        let mut output = self.unspecified(self.kernels.output_len());
        let inputs: Vec<&B::Buffer> = inputs.iter().collect();
        self.kernels.forward(self.backend, &inputs, &mut output);
        output
    }

    fn forward_keeping(&self, inputs: &[B::Buffer]) -> Done<B> {
        let mut output = self.unspecified(self.kernels.output_len());
        let mut kept = self.unspecified(self.kernels.kept_len());
        let inputs: Vec<&B::Buffer> = inputs.iter().collect();
        self.kernels
            .forward_keeping(self.backend, &inputs, &mut output, &mut kept);
        Done { output, kept }
    }

    fn backward(
        &self,
        inputs: &[B::Buffer],
        done: &Done<B>,
        dy: &[f32],
        wanted: &[bool],
    ) -> Result<Vec<Option<Vec<f32>>>, String> {
        let grad = self.backend.upload(dy);
        let mut grads: Vec<Option<B::Buffer>> = wanted
            .iter()
            .zip(inputs)
            .map(|(w, input)| w.then(|| self.unspecified(self.backend.len(input))))
            .collect();
        let refs: Vec<&B::Buffer> = inputs.iter().collect();
        let saved = Saved {
            inputs: &refs,
            output: &done.output,
            kept: &done.kept,
            grad: &grad,
        };
        self.kernels.backward(self.backend, &saved, &mut grads);
        self.backend.recycle(grad);
        if grads.iter().map(Option::is_some).ne(wanted.iter().copied()) {
            return Err("a gradient appeared or vanished".to_owned());
        }
        let take = |buffer: B::Buffer| {
            let values = self.backend.download(&buffer);
            self.backend.recycle(buffer);
            values
        };
        Ok(grads.into_iter().map(|g| g.map(take)).collect())
    }

    /// Leaves NaN in every scratch buffer that the operator uses: whatever it reads without having
    /// written it shows in the next results.
    fn poison(&self, inputs: &[Vec<f32>]) {
        let poisoned: Vec<B::Buffer> = inputs.iter().map(|i| self.unspecified(i.len())).collect();
        let done = self.forward_keeping(&poisoned);
        let dy = vec![f32::NAN; self.kernels.output_len()];
        // Errors of this run show again in the run that counts.
        let _ = self.backward(&poisoned, &done, &dy, &vec![true; inputs.len()]);
        for buffer in poisoned.into_iter().chain([done.output, done.kept]) {
            self.backend.recycle(buffer);
        }
    }
}

/// Compares values with a reference; `tolerance` is in units of `sizes`.
///
/// # Errors
/// Says which value is wrong, and how.
pub fn compare(
    name: &str,
    got: &[f32],
    want: &[f64],
    sizes: &[f64],
    tolerance: f64,
) -> Result<(), String> {
    if got.len() != want.len() || sizes.len() != want.len() {
        return Err(format!(
            "{name}: {} values, expected {}",
            got.len(),
            want.len()
        ));
    }
    for (at, (&got, (&want, &size))) in got.iter().zip(want.iter().zip(sizes)).enumerate() {
        let got = f64::from(got);
        let error = (got - want).abs();
        if error.is_nan() || error > tolerance * size {
            let relative = error / size;
            return Err(format!(
                "{name}[{at}] is {got}, expected {want}: off by {relative:.2e} of its size, \
                 allowed {tolerance:.2e}"
            ));
        }
    }
    Ok(())
}
