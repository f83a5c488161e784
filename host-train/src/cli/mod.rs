//! The program `derefnet`: one file per command, parsed here and dispatched.

pub mod metric;

/// Options that every command shares.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// Print one JSON object on standard output instead of text.
    #[arg(long, global = true)]
    pub json: bool,
    /// Seed of everything random in this command.
    #[arg(long, global = true, default_value_t = 1)]
    pub seed: u64,
    /// Worker threads; 0 means one per core. Results do not depend on it.
    #[arg(long, global = true, default_value_t = 0)]
    pub threads: usize,
}
