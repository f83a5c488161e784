use super::*;
use crate::benchmark::Work;
use crate::benchmark::result::Group;
use crate::benchmark::text::OffGrid;

const HEAD: &str = "title = 't'\nabout = 'a'\nbudget.smoke.minutes = 1\n";

fn parse(text: &str) -> Result<Definition> {
    Definition::parse(format!("{HEAD}{text}"), Path::new("."), Scale::Smoke)
}

#[test]
fn rows_take_what_the_registry_knows() {
    let text = "[methods]\nschedule.rate = 2e-3\n\
                [[row]]\nname = 'a'\nmethod = 'srcnn'\nset.width = 0.5\ndata.noise = 2.0\n\
                [[row]]\nname = 'b'\npreset = 'edge'\nset.model.stages = 2\n\
                [[row]]\nname = 'c'\nmodel = 'edge'\n\
                [[row]]\nname = 'd'\nmethod = 'fit'\n";
    let definition = parse(text).unwrap();
    let [a, b, c, d] = &definition.rows[..] else {
        panic!("{} rows", definition.rows.len());
    };
    let Work::Method(config) = &a.work else {
        panic!("{:?}", a.work);
    };
    assert_eq!(config.schedule.rate, 2e-3);
    assert_eq!((config.width, config.scene.noise), (0.5, [2.0, 2.0]));
    assert_eq!((a.label.as_str(), a.group), ("SRCNN", Group::Published));
    assert_eq!(a.published.map(|p| p.cso_map), Some(49.64));
    assert_eq!((a.grid, a.off_grid), (true, OffGrid::FitFromMap));
    // Half of the channels of 9×9, 5×5 and 5×5 kernels between 1, 16, 8 and 1 channels.
    let kernels = 16 * 81 + 16 + 8 * 16 * 25 + 8 + 8 * 25 + 1;
    assert_eq!(a.size.parameters, kernels);
    let Work::DeRefNet(config) = &b.work else {
        panic!("{:?}", b.work);
    };
    assert_eq!((config.model.stages, b.group), (2, Group::Ours));
    assert_eq!((c.grid, c.off_grid), (true, OffGrid::HeadFit));
    assert!(
        c.about
            .as_ref()
            .is_some_and(|about| about.contains("steps of training"))
    );
    assert_eq!((d.grid, d.off_grid), (false, OffGrid::Fit));
}

#[test]
fn refusals_name_row_and_field() {
    for (text, part) in [
        ("", "missing field `row`"),
        ("row = []", "row: expected at least one"),
        ("rows = 1", "unknown field `rows`"),
        (
            "seeds = []\n[[row]]\nname = 'a'\nmethod = 'fit'",
            "seeds is []",
        ),
        (
            "seeds = [1, 1]\n[[row]]\nname = 'a'\nmethod = 'fit'",
            "seeds is [1, 1]",
        ),
        (
            "training.validations = 0\nrow = []",
            "training.validations is 0",
        ),
        ("training.warmup = 1.0\nrow = []", "training.warmup is 1"),
        ("[[row]]\nname = 'a b'\nmethod = 'fit'", "row 'a b': name"),
        (
            "[[row]]\nname = 'a'\nmethod = 'fit'\n[[row]]\nname = 'a'\nmethod = 'fit'",
            "two rows",
        ),
        (
            "[[row]]\nname = 'a'",
            "row 'a': expected a method, a preset or a model",
        ),
        (
            "[[row]]\nname = 'a'\nmethod = 'x'",
            "row 'a': method: no method 'x'",
        ),
        (
            "[[row]]\nname = 'a'\nmethod = 'lista'\nvariant = 'x'",
            "no variant 'x'",
        ),
        (
            "[[row]]\nname = 'a'\nmodel = 'edge'\nvariant = 'x'",
            "row 'a': variant",
        ),
        (
            "[[row]]\nname = 'a'\nmethod = 'srcnn'\npreset = 'edge'",
            "row 'a': preset",
        ),
        (
            "[[row]]\nname = 'a'\nmethod = 'srcnn'\nmodel = 'edge'",
            "row 'a': model",
        ),
        (
            "[[row]]\nname = 'a'\nmodel = 'none.safetensors'",
            "none.safetensors",
        ),
        (
            "[[row]]\nname = 'a'\nmethod = 'srcnn'\nset.steps = 1",
            "set.steps: the budget",
        ),
        (
            "[[row]]\nname = 'a'\nmethod = 'srcnn'\nset.seed = 1",
            "set.seed: seeds",
        ),
        (
            "[[row]]\nname = 'a'\nmethod = 'srcnn'\nset.schedule.warmup = 1",
            "set.schedule.warmup: training.warmup",
        ),
        (
            "[[row]]\nname = 'a'\nmethod = 'srcnn'\nset.widht = 1",
            "widht",
        ),
        (
            "[[row]]\nname = 'a'\nmethod = 'srcnn'\nset.width = 2.0",
            "width is 2, expected 0..=1",
        ),
        (
            "[[row]]\nname = 'a'\npreset = 'edge'\nset.model.stages = 0",
            "model.stages is 0",
        ),
        (
            "[[row]]\nname = 'a'\nmethod = 'fit'\nset.width = 1.0",
            "row 'a': set: nothing",
        ),
        (
            "[[row]]\nname = 'a'\nmethod = 'fit'\ngrid = true",
            "grid: the row has no map",
        ),
        (
            "[[row]]\nname = 'a'\nmethod = 'fit'\noff_grid = 'fit-from-map'",
            "off_grid is fit-from-map, but the row has no map",
        ),
        (
            "[[row]]\nname = 'a'\nmethod = 'fit'\noff_grid = 'components'",
            "off_grid is components, which only detectors have",
        ),
        (
            "[[row]]\nname = 'a'\nmethod = 'top-hat'\noff_grid = 'fit'",
            "off_grid is fit, expected components",
        ),
        (
            "[[row]]\nname = 'a'\nmethod = 'dna-net'\noff_grid = 'fit-from-map'",
            "off_grid is fit-from-map, expected components",
        ),
        (
            "[[row]]\nname = 'a'\nmethod = 'msh-net'\ngrid = true",
            "grid: the row has no map",
        ),
        (
            "[[row]]\nname = 'a'\nmethod = 'ista'\noff_grid = 'head'",
            "no offset head",
        ),
        (
            "[[row]]\nname = 'a'\nmethod = 'ista'\ngrid = false\noff_grid = 'none'",
            "off_grid is none",
        ),
        (
            "[[row]]\nname = 'a'\nmethod = 'fit'\ndata.noise = -1.0",
            "row 'a': data: noise",
        ),
        (
            "[[row]]\nname = 'a'\nmethod = 'fit'\ndata.nose = 1.0",
            "row 'a': data: unknown field `nose`",
        ),
        (
            "[[row]]\nname = 'a'\nmethod = 'fit'\ndata.trajectories = 0",
            "trajectories is 0",
        ),
        (
            "[[row]]\nname = 'a'\nmethod = 'edge-quantised'",
            "row 'a': model: expected a quantised",
        ),
    ] {
        let message = parse(text).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(message.contains(part), "{text}: {message}");
    }
}

#[test]
fn budgets_are_either_time_or_work() {
    let row = "[[row]]\nname = 'a'\nmethod = 'fit'\n";
    let parse = |budget: &str, scale| {
        let text = format!("title = 't'\nabout = 'a'\n{budget}\n{row}");
        Definition::parse(text, Path::new("."), scale)
    };
    let refused = |budget: &str| {
        let refused = parse(budget, Scale::Hour).err();
        refused.map(|e| e.to_string()).unwrap_or_default()
    };
    for (budget, part) in [
        ("budget.smoke.minutes = 1", "budget.hour is missing"),
        (
            "budget.hour.trajectories = 1",
            "expected either minutes or multiply_adds",
        ),
        (
            "budget.hour = { minutes = 1, multiply_adds = 1 }",
            "expected either",
        ),
        ("budget.hour.minutes = 0", "budget.hour is 0"),
        ("budget.hour.multiply_adds = inf", "budget.hour is inf"),
        ("budget.week.minutes = 1", "unknown variant `week`"),
        ("budget.hour = { minutes = 1, seeds = [] }", "seeds is []"),
    ] {
        let message = refused(budget);
        assert!(message.contains(part), "{budget}: {message}");
    }
    let both = "budget.hour = { minutes = 3, seeds = [4, 5], trajectories = 6 }";
    let definition = parse(both, Scale::Hour).unwrap();
    assert_eq!(
        (definition.budget, definition.seeds),
        (Budget::Minutes(3.0), vec![4, 5])
    );
    assert_eq!(definition.rows[0].data.trajectories, 6);
}

#[test]
fn rows_are_chosen_by_name() {
    let text = "[[row]]\nname = 'a'\nmethod = 'fit'\n[[row]]\nname = 'b'\nmethod = 'ista'\n";
    let mut definition = parse(text).unwrap();
    let refused = definition.keep(&["c".to_owned()]).unwrap_err().to_string();
    assert!(
        refused.contains("--only c: no such row, expected of a, b"),
        "{refused}"
    );
    definition.keep(&["b".to_owned()]).unwrap();
    assert_eq!(definition.rows.len(), 1);
}

/// Every table of the repository, at every scale: rows resolve, models are there, sizes are counted.
#[test]
fn shipped_definitions_plan() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/definitions");
    let entries = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is_table = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("table") || name.starts_with("figure")
    };
    let tables: Vec<PathBuf> = entries.filter(is_table).collect();
    assert!(tables.len() >= 6, "{tables:?}");
    for path in tables {
        for scale in [Scale::Smoke, Scale::Hour, Scale::Full] {
            let definition = Definition::read(&path, scale).unwrap();
            for row in &definition.rows {
                let counted = row.size.macs_per_frame_here.is_some_and(|work| work > 0);
                let bare = matches!(row.work, Work::Fit | Work::Detector(_));
                assert!(counted || bare, "{}: {}", path.display(), row.name);
            }
        }
    }
}

/// Table 7 has every published method once as its authors ran it.
#[test]
fn table_7_has_every_method() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/definitions");
    let table = Definition::read(&folder.join("table7.toml"), Scale::Hour).unwrap();
    for method in crate::methods::METHODS {
        let form = method.variants[0].name;
        let mut rows = table
            .rows
            .iter()
            .filter(|row| row.method.is_some_and(|m| m.key == method.key));
        let row = rows.find(|row| row.variant == Some(form));
        let row = row.unwrap_or_else(|| panic!("no row of {}", method.key));
        let published = method.published.map(|p| p.cso_map);
        assert_eq!(
            row.published.map(|p| p.cso_map),
            published,
            "{}",
            method.key
        );
    }
}
