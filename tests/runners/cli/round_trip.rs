//! One command's output as another's input, and golden tensors.

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use tempfile::tempdir;

use super::files::{EDGE, PAPER, data_set};
use super::process::{derefnet, done, has_keys, json, one_object, refused};

#[test]
fn both_layouts_give_the_same_figures() {
    let folder = tempdir().unwrap();
    let eval = |layout: &str| {
        let data = data_set(folder.path(), layout);
        json(&format!("eval --data {}", data.display()))
    };
    let native = eval("native");
    assert_eq!(native["trajectories"], 3);
    assert_eq!(native, eval("seqcsist"));
}

/// Copies the pictures of test trajectory `index` of `data` into `folder/frames`.
fn pictures(folder: &Path, data: &Path, index: usize) -> PathBuf {
    let frames = folder.join("frames");
    fs::create_dir(&frames).unwrap();
    for number in 20 * index..20 * (index + 1) {
        let name = format!("image_{number}.png");
        fs::copy(data.join("test/image").join(&name), frames.join(&name)).unwrap();
    }
    frames
}

#[test]
fn pedestal_is_taken_off_before_unmixing() {
    let folder = tempdir().unwrap();
    let simulate = |layout: &str, options: &str| {
        let out = folder.path().join(layout);
        let words = "simulate --noise 3 --trajectories 1 --split test --seed 5";
        done(&format!(
            "{words} --layout {layout} {options} --out {}",
            out.display()
        ));
        out
    };
    let stored = simulate("seqcsist", "--pedestal 100");
    let frames = pictures(folder.path(), &stored, 0);
    let signed = simulate("native", "").join("test_frames.npy");
    let [found, expected] = [frames, signed].map(|path| json(&format!("unmix {}", path.display())));
    assert_eq!(found["sequences"], expected["sequences"]);
    let frame = found["sequences"][0][10].as_array();
    assert!(frame.is_some_and(|targets| !targets.is_empty()), "{found}");
}

#[test]
fn simulated_pictures_are_unmixed() {
    let folder = tempdir().unwrap();
    let data = data_set(folder.path(), "seqcsist");
    let frames = pictures(folder.path(), &data, 2);
    let answer = json(&format!("unmix {}", frames.display()));
    let sequence = answer["sequences"][0].as_array().unwrap();
    assert_eq!(sequence.len(), 20);
    for (index, frame) in sequence.iter().enumerate() {
        assert_eq!(frame.is_null(), !(2..18).contains(&index), "frame {index}");
        for target in frame.as_array().into_iter().flatten() {
            has_keys(target, "x y intensity sigma_x sigma_y score");
        }
    }
    let annotation = fs::read_to_string(data.join("test/annotation/COS50.xml")).unwrap();
    let number = |tag: &str| {
        let rest = annotation.split(&format!("<{tag}>")).nth(1).unwrap();
        rest.split('<').next().unwrap().parse::<f64>().unwrap()
    };
    let (x, y) = (number("xc"), number("yc"));
    let found = sequence[10].as_array().unwrap();
    let near = found.iter().any(|t| {
        let [row, column] = ["x", "y"].map(|key| t[key].as_f64().unwrap());
        (row - x).hypot(column - y) < 0.5
    });
    assert!(near, "no answer near {x}, {y}: {found:?}");
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/derefnet_seed1_small.safetensors")
}

type Tensor = (String, Vec<usize>, Vec<f32>);
type Change<'a> = &'a dyn Fn(&mut Tensor);

/// Writes the golden file with `change` applied to its tensors.
fn tampered(folder: &Path, change: impl FnOnce(&mut Vec<Tensor>)) -> PathBuf {
    let bytes = fs::read(golden()).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<Tensor> = file
        .tensors()
        .into_iter()
        .map(|(name, view)| {
            let values = view.data().as_chunks::<4>().0.iter();
            let values = values.map(|b| f32::from_le_bytes(*b)).collect();
            (name, view.shape().to_vec(), values)
        })
        .collect();
    change(&mut tensors);
    let parts: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .into_iter()
        .map(|(name, shape, values)| {
            let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            (name, shape, bytes)
        })
        .collect();
    let views = parts.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes);
        (name, view.unwrap())
    });
    let path = folder.join("tampered.safetensors");
    fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    path
}

fn find<'a>(tensors: &'a mut [Tensor], name: &str) -> &'a mut Tensor {
    let found = tensors.iter_mut().find(|(n, ..)| n == name);
    found.unwrap_or_else(|| panic!("the golden file has no {name}"))
}

#[test]
fn parity_passes_on_golden_tensors() {
    let answer = json(&format!("parity --golden {}", golden().display()));
    has_keys(&answer, "pass worst tensors");
    assert_eq!(answer["pass"], true);
    assert!(answer["tensors"].as_array().unwrap().len() > 50, "{answer}");
    has_keys(&answer["worst"], "name relative_l2 tolerance");
}

/// Gradients 2 % larger, which no kink excuses; one weight 1 % larger, one recorded activation 1 %
/// off, a recorded tensor of another shape.
#[test]
fn parity_fails_on_altered_tensors() {
    let folder = tempdir().unwrap();
    let largest = |(_, _, values): &mut Tensor| {
        let value = values.iter_mut().max_by(|a, b| a.abs().total_cmp(&b.abs()));
        *value.unwrap() *= 1.01;
    };
    let flat = |(_, shape, values): &mut Tensor| *shape = vec![values.len()];
    let scaled = |(_, _, values): &mut Tensor| values.iter_mut().for_each(|v| *v *= 1.02);
    let cases: [(&str, Change); 6] = [
        ("grad.TDDA.tail_conv.2.weight", &scaled),
        ("grad.fcs.4.conv1_backward", &scaled),
        ("weight.fcs.0.conv2_forward", &largest),
        ("act.stage0.x", &largest),
        ("act.win9.align1", &flat),
        ("grad.fcs.0.conv2_forward", &|t| {
            t.1 = vec![3];
            t.2.truncate(3);
        }),
    ];
    for (name, change) in cases {
        let path = tampered(folder.path(), |tensors| change(find(tensors, name)));
        let ran = derefnet(&format!("parity --json --golden {}", path.display()));
        assert_eq!(ran.code, Some(1), "{name}: {}", ran.err);
        assert_eq!(one_object(&ran.out)["pass"], false);
        assert!(ran.err.contains("out of tolerance"), "{}", ran.err);
    }
}

#[test]
fn parity_refuses_incomplete_files() {
    let folder = tempdir().unwrap();
    for name in [
        "weight.fcs.0.conv2_forward",
        "weight.TDDA.mlp.bias",
        "qinit",
        "input.y",
    ] {
        let path = tampered(folder.path(), |tensors| tensors.retain(|(n, ..)| n != name));
        let parts = ["tampered.safetensors", name, "is missing"];
        refused(
            &format!("parity --golden {}", path.display()),
            &parts,
            folder.path(),
        );
        let path = tampered(folder.path(), |tensors| {
            let (_, shape, values) = find(tensors, name);
            values.truncate(7);
            *shape = vec![7];
        });
        let parts = ["tampered.safetensors", name, "expected"];
        refused(
            &format!("parity --golden {}", path.display()),
            &parts,
            folder.path(),
        );
    }
}

/// As ONNX, and for the authors' code; the shipped model's thresholds are negative, and it says so.
#[test]
fn models_leave_in_every_form() {
    let folder = tempdir().unwrap();
    let onnx = folder.path().join("m.onnx");
    let answer = json(&format!("export --out {}", onnx.display()));
    assert_eq!(answer["jumps"], serde_json::json!([]));
    let bytes = fs::read(&onnx).unwrap();
    assert_eq!(answer["bytes"].as_u64(), Some(bytes.len() as u64));
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("stages/2/conv2_backward") && text.contains("psf_sigma_px"));
    let said = done(&format!("export --model {PAPER} --out {}", onnx.display()));
    assert!(
        said.contains("stages [4, 5, 6, 7, 8] are negative"),
        "{said}"
    );
    let said = json(&format!("info {PAPER}"));
    assert!(said["config"]["head"].is_null());

    let whole = folder.path().join("whole.safetensors");
    let both = format!("--model {PAPER} --head {EDGE}");
    done(&format!("export {both} --out {}", whole.display()));
    let said = json(&format!("info {}", whole.display()));
    assert_eq!(said["config"]["head"]["channels"], 32);
    assert_eq!(
        said["provenance"]["head"]["validation"][0]
            .as_f64()
            .map(f64::round),
        Some(93.0)
    );

    let edge = concat!(env!("CARGO_MANIFEST_DIR"), "/../core/models/edge.dref");
    let answer = json(&format!("export --model {edge} --out {}", onnx.display()));
    let bytes = fs::read(&onnx).unwrap();
    assert_eq!(answer["bytes"].as_u64(), Some(bytes.len() as u64));
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("DequantizeLinear") && text.contains("psf_sigma_px"));

    let authors = folder.path().join("authors.safetensors");
    done(&format!("export --authors --out {}", authors.display()));
    let shown = json(&format!("info {}", authors.display()));
    assert_eq!(shown["config"]["intensity_scale"], 1.0);
    let file = fs::read(&authors).unwrap();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let matrix = tensors.tensor("TDDA.mlp.weight").unwrap();
    assert_eq!(matrix.shape(), [1089, 1089]);
}
