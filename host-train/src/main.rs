//! The program `derefnet`.
use derefnet::*;
fn main() {
    if std::env::args().nth(1).as_deref() == Some("parity") {
        let r =
            derefnet::eval::parity::parity(std::path::Path::new(&std::env::args().nth(2).unwrap()))
                .unwrap();
        for t in &r.tensors {
            println!(
                "{:50} {:.3e} {}",
                t.name,
                t.relative_l2,
                if t.pass() { "" } else { "FAIL" }
            );
        }
        println!("{} {:?}", r.pass, r.worst);
        return;
    }
    let preset = if std::env::args().nth(1).as_deref() == Some("edge") {
        model::Preset::Edge
    } else {
        model::Preset::Paper
    };
    let cfg = model::ModelConfig {
        time: if std::env::args().nth(2).is_some() {
            model::TimeConvention::Trajectory
        } else {
            model::TimeConvention::Window
        },
        ..model::ModelConfig::preset(preset)
    };
    let params = model::initialise(&cfg, 1);
    let net = model::DeRefNet {
        operators: model::Operators::new(vec![0.01; 1089 * 121]),
        parameters: params,
        config: cfg,
    };
    let b = backend::cpu::Cpu::new();
    let values: Vec<Vec<f32>> = net
        .parameters
        .tensors
        .iter()
        .map(|t| t.values.clone())
        .collect();
    let frames = model::Frames {
        counts: (0..20 * 121).map(|i| (i % 97) as f32).collect(),
        length: 20,
    };
    for _ in 0..6 {
        let t = std::time::Instant::now();
        let mut tape = autograd::Tape::new(&b);
        let leaves = model::DeRefNet::leaves(&mut tape, &values, true);
        let g = net.forward(&b, &mut tape, &leaves, &frames, true);
        let labels = tape.constant(vec![0.1; 16 * 1089]);
        let l = train::Losses::record(
            &mut tape,
            &g,
            labels,
            1,
            &train::LossConfig::published(train::LossVariant::Paper),
        );
        let f = t.elapsed();
        let _g = tape.backward(l.total, &[]);
        println!("fwd {:?} total {:?}", f, t.elapsed());
        for (n, c) in tape.costs() {
            println!(
                "  {n:16} f {:8.2} ms b {:8.2} ms macs {:.1} M  {:.1} {:.1} GF/s calls {}",
                c.forward.as_secs_f64() * 1e3,
                c.backward.as_secs_f64() * 1e3,
                c.multiply_adds as f64 / 1e6,
                2e-9 * c.multiply_adds as f64 / c.forward.as_secs_f64(),
                4e-9 * c.multiply_adds as f64 / c.backward.as_secs_f64(),
                c.calls
            );
        }
    }
}
