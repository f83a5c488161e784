//! What a row does, resolved from its text.

use std::path::Path;

use serde::Serialize;

use super::definition::{Data, Setting};
use super::readouts::readouts;
use super::result::{Group, PublishedFigures};
use super::text::{OffGrid, RowText};
use crate::cli::model::{DrefFile, Loaded, is_quantised};
use crate::methods::{
    Detected, Method, MethodConfig, Plan, Readout, Solution, plan, plan_of_model,
};
use crate::model::{DeRefNet, HeadConfig, ModelConfig, Preset};
use crate::scene::SceneConfig;
use crate::train::TrainConfig;
use crate::{Error, Result};

/// A row, found sound.
#[derive(Clone, Debug)]
pub struct Row {
    /// Name of its folder.
    pub name: String,
    /// What tables call it.
    pub label: String,
    /// Where it belongs.
    pub group: Group,
    /// Its method.
    pub method: Option<&'static Method>,
    /// Form of the method.
    pub variant: Option<&'static str>,
    /// What differs from the published form.
    pub about: Option<String>,
    /// Figures of others.
    pub published: Option<PublishedFigures>,
    /// What it is evaluated on.
    pub data: Data,
    /// Whether cells of the map are read.
    pub grid: bool,
    /// How places between the cells are found.
    pub off_grid: OffGrid,
    /// What there is to do.
    pub work: Work,
    /// Sizes.
    pub size: Size,
}

/// What there is to do.
#[derive(Clone, Debug)]
pub enum Work {
    /// A published network is trained.
    Method(Box<MethodConfig>),
    /// A DeRefNet is trained.
    DeRefNet(Box<TrainConfig>),
    /// A solver runs.
    Solver,
    /// The fit runs.
    Fit,
    /// A model answers.
    Model(Model),
    /// A detector marks pixels.
    Detector(fn(&[f64]) -> Detected),
}

/// A model and the checksum of its file.
#[derive(Clone, Debug)]
pub struct Model {
    /// The model.
    pub loaded: Loaded,
    /// CRC-32 of the file.
    pub checksum: u32,
}

/// Parameters and multiply-adds of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Size {
    /// With those of an adversary and, at full size, of pretrained networks of the loss.
    pub parameters: usize,
    /// Of the network that answers.
    pub answering_parameters: usize,
    /// Per frame, counted as published.
    pub macs_per_frame: Option<u64>,
    /// Per frame, as computed here.
    pub macs_per_frame_here: Option<u64>,
}

impl Size {
    fn new(plan: &Plan, foreign: usize) -> Self {
        Self {
            parameters: plan.parameters() + plan.adversary_parameters() + foreign,
            answering_parameters: plan.parameters(),
            macs_per_frame: plan.multiply_adds,
            macs_per_frame_here: plan.multiply_adds_here,
        }
    }
}

impl Work {
    /// Whether something is trained.
    pub fn learns(&self) -> bool {
        matches!(self, Self::Method(_) | Self::DeRefNet(_))
    }

    /// In a word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Method(_) | Self::DeRefNet(_) => "training",
            Self::Solver => "solver",
            Self::Fit => "fit",
            Self::Model(_) => "model",
            Self::Detector(_) => "detector",
        }
    }

    fn size(&self, method: Option<&Method>, variant: Option<&str>) -> Result<Size> {
        let of_model = |config: &ModelConfig| Size::new(&plan_of_model(config.clone()), 0);
        Ok(match (self, method) {
            (Self::Method(config), Some(method)) => {
                let whole = config.width == 1.0;
                let foreign = if whole { method.foreign_parameters } else { 0 };
                Size::new(&plan(method, variant, config.width)?, foreign)
            }
            (Self::Solver, Some(method)) => Size::new(&plan(method, variant, 1.0)?, 0),
            (Self::DeRefNet(config), _) => of_model(&config.model),
            (Self::Model(model), _) => of_model(&model.config()?),
            _ => Size::default(),
        })
    }
}

impl Model {
    fn read(name: &str, folder: &Path) -> Result<Self> {
        if name == "edge" {
            let (network, provenance) = DeRefNet::shipped()?;
            return Ok(Self {
                loaded: Loaded::Float(Box::new(network), Box::new(provenance)),
                checksum: crc32fast::hash(DeRefNet::SHIPPED),
            });
        }
        let path = folder.join(name);
        let bytes = std::fs::read(&path).map_err(|e| Error::io(&path, e))?;
        let loaded = if is_quantised(&path) {
            Loaded::Quantised(DrefFile::read(&path)?)
        } else {
            let (network, provenance) = DeRefNet::from_bytes(&path, &bytes)?;
            Loaded::Float(Box::new(network), Box::new(provenance))
        };
        Ok(Self {
            loaded,
            checksum: crc32fast::hash(&bytes),
        })
    }

    /// Sizes of the network; of a quantised one those of the floats behind it.
    pub(super) fn config(&self) -> Result<ModelConfig> {
        let file = match &self.loaded {
            Loaded::Float(network, _) => return Ok(network.config.clone()),
            Loaded::Quantised(file) => file,
        };
        let header = file.model()?.header;
        let map = header.map.ok_or_else(|| {
            Error::usage("model: this one has an offset head alone, expected one with a map")
        })?;
        Ok(ModelConfig {
            stages: usize::from(map.stages),
            channels: usize::from(map.channels),
            residual_blocks: usize::from(map.residual_blocks),
            head: header.head.map(|head| HeadConfig {
                channels: usize::from(head.channels),
                blocks: usize::from(head.residual_blocks),
            }),
            ..ModelConfig::preset(Preset::Edge)
        })
    }
}

/// Turns the text of a row into what it does.
///
/// # Errors
/// Names the field.
pub(super) fn resolve(text: &RowText, data: Data, setting: &Setting<'_>) -> Result<Row> {
    let method = text.method.as_deref().map(Method::find).transpose();
    let method = method.map_err(|e| Error::usage(format!("method: {e}")))?;
    let variant = match method {
        Some(method) => Some(method.variant(text.variant.as_deref())?),
        None if text.variant.is_some() => {
            return Err(Error::usage("variant: only a method has variants"));
        }
        None => None,
    };
    let work = work(text, method, variant, &data, setting)?;
    if !work.learns() && !text.set.is_empty() {
        return Err(Error::usage("set: nothing is trained in this row"));
    }
    let (grid, off_grid) = readouts(text, method, &work)?;
    let size = work.size(method, variant)?;
    let first_form = method.is_some_and(|m| variant == Some(m.variants[0].name));
    let registered = method.filter(|_| first_form).and_then(|m| m.published);
    Ok(Row {
        name: text.name.clone(),
        label: match (&text.label, method) {
            (Some(label), _) => label.clone(),
            (None, Some(method)) => method.name.to_owned(),
            (None, None) => text.name.clone(),
        },
        group: text.group.unwrap_or_else(|| group(method)),
        about: about(text, method, variant, &work)?,
        published: text.published.or(registered.map(Into::into)),
        data,
        grid,
        off_grid,
        work,
        size,
        method,
        variant,
    })
}

fn group(method: Option<&Method>) -> Group {
    match method {
        Some(method) if method.published.is_some() => Group::Published,
        _ => Group::Ours,
    }
}

/// What is said of the row, or else where its model comes from, or in what its form differs.
fn about(
    text: &RowText,
    method: Option<&Method>,
    variant: Option<&str>,
    work: &Work,
) -> Result<Option<String>> {
    if text.about.is_some() {
        return Ok(text.about.clone());
    }
    if let Work::Model(model) = work {
        return model.loaded.training().map(Some);
    }
    let forms = method.map_or(&[][..], |method| method.variants);
    let mut named = forms.iter().filter(|form| Some(form.name) == variant);
    let form = named.next().filter(|form| form.name != "as-published");
    Ok(form.map(|form| form.about.to_owned()))
}

fn work(
    text: &RowText,
    method: Option<&'static Method>,
    variant: Option<&'static str>,
    data: &Data,
    setting: &Setting<'_>,
) -> Result<Work> {
    let read = |name: &str| Ok(Work::Model(Model::read(name, setting.folder)?));
    if let Some(preset) = text.preset {
        if method.is_some() || text.model.is_some() {
            return Err(Error::usage("preset: not with a method or a model"));
        }
        return de_ref_net(preset, None, text, data, setting);
    }
    let Some(method) = method else {
        let message = "expected a method, a preset or a model";
        let name = text.model.as_deref().ok_or_else(|| Error::usage(message))?;
        return read(name);
    };
    match (method.solution, text.model.as_deref()) {
        (Solution::DeRefNet { .. }, Some(name)) => read(name),
        (_, Some(_)) => Err(Error::usage("model: only DeRefNets are read from files")),
        (Solution::Solver { .. }, None) => Ok(Work::Solver),
        (Solution::Fit, None) => Ok(Work::Fit),
        (Solution::Detector(detect), None) => Ok(Work::Detector(detect)),
        (Solution::Network(_), None) => {
            let scene = scene_layer(data)?;
            let layers = [
                &scene,
                &setting.text.methods,
                &setting.budget.set,
                &text.set,
            ];
            refuse_fixed(&layers[1..])?;
            let config = MethodConfig::layered(method, variant, layers)?;
            Ok(Work::Method(Box::new(config)))
        }
        (Solution::DeRefNet { config, readout }, None) => match (readout, method.published) {
            (Readout::Grid, Some(_)) => {
                de_ref_net(Preset::Paper, Some(config()), text, data, setting)
            }
            (Readout::QuantisedGrid, _) => {
                let message = "model: expected a quantised file (.dref)";
                Err(Error::usage(message))
            }
            _ => read("edge"),
        },
    }
}

fn de_ref_net(
    preset: Preset,
    model: Option<ModelConfig>,
    text: &RowText,
    data: &Data,
    setting: &Setting<'_>,
) -> Result<Work> {
    let mut base = scene_layer(data)?;
    if let Some(model) = model {
        base.insert("model".to_owned(), table(&model)?.into());
    }
    let layers = [
        &base,
        &setting.text.deref_net,
        &setting.budget.set,
        &text.set,
    ];
    refuse_fixed(&layers[1..])?;
    let config = TrainConfig::layered(preset, layers)?;
    Ok(Work::DeRefNet(Box::new(config)))
}

/// The rules of the data as fields of a training; defaults are left out.
fn scene_layer(data: &Data) -> Result<toml::Table> {
    let mut scene = table(&data.scene())?;
    let defaults = table(&SceneConfig::default())?;
    scene.retain(|key, value| defaults.get(key) != Some(value));
    Ok([("scene".to_owned(), toml::Value::from(scene))]
        .into_iter()
        .collect())
}

pub(super) fn table(value: &impl Serialize) -> Result<toml::Table> {
    toml::Table::try_from(value).map_err(|e| Error::usage(e.to_string()))
}

/// Fields that the benchmark itself decides.
fn refuse_fixed(layers: &[&toml::Table]) -> Result<()> {
    let fixed = [
        ("steps", "the budget"),
        ("seed", "seeds"),
        ("validate_every", "training.validations"),
        ("checkpoint_every", "the benchmark"),
        ("method", "the row's method"),
        ("variant", "the row's variant"),
    ];
    for layer in layers {
        if let Some((name, by)) = fixed.iter().find(|(name, _)| layer.contains_key(*name)) {
            return Err(Error::usage(format!("set.{name}: {by} decides it")));
        }
        let schedule = layer.get("schedule").and_then(toml::Value::as_table);
        if schedule.is_some_and(|schedule| schedule.contains_key("warmup")) {
            let message = "set.schedule.warmup: training.warmup decides it";
            return Err(Error::usage(message));
        }
    }
    Ok(())
}
