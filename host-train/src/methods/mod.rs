//! The 23 methods of SeqCSIST Table 7, and ours, as one registry.
//!
//! A method is one file with one constant [`Method`] and one line in [`METHODS`]; commands,
//! benchmark, tables and tests read that list. A network is a description in the language of
//! [`net`]: it is counted, trained, evaluated and exported from that one description.
//!
//! Where the authors' programs depart from what their papers describe, [`Variant`]s name both. Two
//! departures concern all of them: losses that a program adds up twice (see
//! [`Summation`](loss::Summation)), and frames: a method that sees one frame at a time is scored on
//! frames 3 to 18 of 20, as those that see five are.

mod adversarial;
mod alignments;
pub mod answers;
mod bid;
pub mod blocks;
mod bsrgan;
pub mod config;
mod count;
mod dbpn;
mod deref_net;
mod detectors;
mod dna_net;
mod edsr;
mod espcn;
mod esrgan;
pub mod evaluate;
mod fista_net;
mod gan;
mod gmfn;
mod ista;
mod ista_net;
mod ista_net_plus;
mod ista_net_plus_plus;
pub mod job;
mod l2sk_net;
mod lamp;
mod liht;
mod lista;
mod live;
pub mod loss;
pub mod marks;
mod msh_net;
pub mod net;
mod ours;
mod published;
mod rdn;
mod rpca_net;
pub mod run;
pub mod sensor;
mod srcnn;
mod srgan;
mod state;
mod step;
mod tdan;
pub mod tensors;
mod ti_lista;
mod top_hat;
mod trained;
mod usr_net;

pub use answers::Answers;
pub use config::MethodConfig;
pub use count::{Plan, plan, plan_of_model};
pub use live::leaves;
pub use marks::Detected;
pub use published::{Published, Reference};
pub use run::MethodRun;
pub use trained::{Ready, Trained};

use loss::Training;
use net::{Map, Net};

use crate::autograd::Var;
use crate::backend::counting::Steps;
use crate::model::ModelConfig;
use crate::{Error, Result};

/// A form of a method, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Name on the command line.
    pub name: &'static str,
    /// In what it differs.
    pub about: &'static str,
}

/// What a network answers.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Maps `(frames, 33, 33, 1)`, counts; of the scored frames alone where the network sees
    /// sequences. Of a detector logits `(frames, 11, 11, 1)`.
    pub map: Map,
    /// Earlier answers, which the data terms judge like the last one; a detector's may have other
    /// sides.
    pub earlier: Vec<Map>,
    /// Terms of the loss beside the data terms; empty unless training follows.
    pub terms: Vec<Term>,
}

impl From<Map> for Answer {
    fn from(map: Map) -> Self {
        Self {
            map,
            earlier: Vec::new(),
            terms: Vec::new(),
        }
    }
}

/// A term of the loss, already one value.
#[derive(Clone, Debug)]
pub struct Term {
    /// The value.
    pub value: Var,
    /// Its weight as the authors write it.
    pub written: f32,
    /// Its weight in the sum that their program minimises.
    pub effective: f32,
}

/// A trained network.
pub trait Network: Sync {
    /// Describes the network.
    fn forward(&self, net: &mut Net<'_>) -> Answer;

    /// How the authors train the variant called `variant`.
    fn training(&self, variant: &str) -> Training;

    /// What judges its maps in training, if it is trained against an adversary.
    fn adversary(&self) -> Option<Adversary> {
        None
    }

    /// How the published figures count its data steps.
    fn steps(&self) -> Steps {
        Steps::Gram
    }

    /// What it answers, and is trained towards.
    fn answers(&self) -> Answers {
        Answers::Maps
    }

    /// Whether it sees five frames at a time and answers for the scored ones alone.
    fn sees_sequences(&self) -> bool {
        false
    }
}

/// A network that tells maps of the method from label maps.
#[derive(Clone, Copy)]
pub struct Adversary {
    /// Describes it: logits of maps `(n, 33, 33, 1)`, of any shape.
    pub judge: fn(&mut Net<'_>, Map) -> Map,
    /// Whether each logit is taken relative to the mean of the other kind's (Jolicoeur-Martineau
    /// 2019).
    pub relativistic: bool,
    /// Weight of the adversarial term in the method's loss.
    pub weight: f32,
}

/// A map `(1089)` in counts of one frame `(121)`, by the named variant.
pub type Solve = fn(frame: &[f64], variant: &str) -> Result<Vec<f64>>;

/// How a method comes to its answers.
#[derive(Clone, Copy)]
pub enum Solution {
    /// An iteration without parameters, frame by frame, in f64.
    Solver {
        /// The map.
        solve: Solve,
        /// Multiply-adds per frame as published, and as computed here.
        multiply_adds: [u64; 2],
    },
    /// A network of this module.
    Network(&'static dyn Network),
    /// DeRefNet, whose network, training and evaluation are those of the whole program.
    DeRefNet {
        /// Its sizes.
        config: fn() -> ModelConfig,
        /// How its answers are read.
        readout: Readout,
    },
    /// The fit of point sources alone, [`derefnet_core::locate`].
    Fit,
    /// A detector without parameters, which marks pixels of one frame `(121)` at a time.
    Detector(fn(frame: &[f64]) -> Detected),
}

/// How answers of DeRefNet are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readout {
    /// Cells of the map, in f32.
    Grid,
    /// Cells of the map of the quantised network.
    QuantisedGrid,
    /// The offset head and the fit together.
    OffGrid,
}

/// A method and what is known of it.
#[derive(Clone, Copy)]
pub struct Method {
    /// Name in the table.
    pub name: &'static str,
    /// Name on the command line.
    pub key: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// Where it was published.
    pub reference: Reference,
    /// Its row of Table 7; none for methods that are not there.
    pub published: Option<Published>,
    /// Its forms; the first one is meant where none is named.
    pub variants: &'static [Variant],
    /// Parameters of the published training that exist no longer here: a pretrained network in a
    /// loss.
    pub foreign_parameters: usize,
    /// How it works.
    pub solution: Solution,
}

impl std::fmt::Debug for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.key)
    }
}

impl Method {
    /// The variant called `name`, or the first one.
    ///
    /// # Errors
    /// Lists the names if there is none such.
    pub fn variant(&self, name: Option<&str>) -> Result<&'static str> {
        let Some(name) = name else {
            return Ok(self.variants[0].name);
        };
        let found = self.variants.iter().find(|v| v.name == name);
        found.map(|v| v.name).ok_or_else(|| {
            let names: Vec<&str> = self.variants.iter().map(|v| v.name).collect();
            let names = names.join("', '");
            Error::usage(format!(
                "{} has no variant '{name}', expected '{names}'",
                self.key
            ))
        })
    }

    /// The network behind the method.
    ///
    /// # Errors
    /// If it is trained by nobody, or not by this module.
    pub fn network(&self) -> Result<&'static dyn Network> {
        match self.solution {
            Solution::Network(network) => Ok(network),
            Solution::DeRefNet { .. } => Err(Error::usage(format!(
                "{} is trained by `derefnet train`",
                self.key
            ))),
            Solution::Solver { .. } | Solution::Fit | Solution::Detector(_) => {
                Err(Error::usage(format!("{} has nothing to train", self.key)))
            }
        }
    }

    /// The method called `key`.
    ///
    /// # Errors
    /// Lists the keys if there is none such.
    pub fn find(key: &str) -> Result<&'static Self> {
        let all = METHODS.iter().chain(ABLATIONS);
        all.clone().find(|m| m.key == key).ok_or_else(|| {
            let keys: Vec<&str> = all.map(|m| m.key).collect();
            let keys = keys.join(", ");
            Error::usage(format!("no method '{key}', expected one of {keys}"))
        })
    }
}

/// The only form of a method that has one.
pub(crate) const AS_PUBLISHED: &[Variant] = &[Variant {
    name: "as-published",
    about: "as published",
}];

/// Networks and detectors that only other tables have.
pub const ABLATIONS: &[Method] = &[
    alignments::METHOD,
    top_hat::METHOD,
    msh_net::METHOD,
    dna_net::METHOD,
    l2sk_net::METHOD,
];

/// All methods: Table 7 in its order, then ours.
pub const METHODS: &[Method] = &[
    ista::METHOD,
    bid::METHOD,
    srcnn::METHOD,
    gmfn::METHOD,
    dbpn::METHOD,
    srgan::METHOD,
    bsrgan::METHOD,
    esrgan::METHOD,
    rdn::METHOD,
    edsr::METHOD,
    espcn::METHOD,
    tdan::METHOD,
    liht::METHOD,
    lamp::METHOD,
    ista_net::METHOD,
    fista_net::METHOD,
    ista_net_plus::METHOD,
    ista_net_plus_plus::METHOD,
    lista::METHOD,
    usr_net::METHOD,
    ti_lista::METHOD,
    rpca_net::METHOD,
    deref_net::METHOD,
    ours::FIT,
    ours::OFF_GRID,
    ours::EDGE,
    ours::EDGE_QUANTISED,
];
