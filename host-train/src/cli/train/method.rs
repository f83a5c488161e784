//! Runs of the published methods.

use super::{Common, TrainArgs, steps};
use crate::backend::Backend;
use crate::methods::{Method, MethodConfig, MethodRun};
use crate::train::Source;
use crate::{Error, Result};

/// The run in `--out`, new or continued.
pub(super) fn open<B: Backend>(
    backend: B,
    args: &TrainArgs,
    common: &Common,
    key: &str,
) -> Result<MethodRun<B>> {
    let method = Method::find(key).map_err(|e| Error::usage(format!("--method: {e}")))?;
    if args.resume {
        let run = MethodRun::resume_on(backend, &args.out, |config| source(args, config))?;
        return match run.config().method == method.key {
            true => Ok(run),
            false => Err(Error::usage(format!(
                "--method: the run in {} trains {}, not {key}",
                args.out.display(),
                run.config().method
            ))),
        };
    }
    let mut config = match &args.config {
        Some(path) => MethodConfig::read(path)?,
        None => MethodConfig::published(method, args.variant.as_deref())?,
    };
    if config.method != method.key {
        let found = &config.method;
        let message = format!("--config names the method {found}, --method says {key}");
        return Err(Error::usage(message));
    }
    config.seed = common.seed.unwrap_or(config.seed);
    if let Some(epochs) = args.epochs {
        config.steps = steps(epochs, config.batch)?;
    }
    let source = source(args, &config)?;
    MethodRun::create_on(backend, &args.out, config, source)
}

fn source(args: &TrainArgs, config: &MethodConfig) -> Result<Source> {
    match &args.data {
        Some(folder) => Source::load(folder),
        None => Ok(config.generated()),
    }
}
