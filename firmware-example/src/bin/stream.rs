//! Frames one by one as a sensor delivers them, and the targets of the frame two before as text.
#![cfg_attr(target_os = "none", no_std, no_main)]

use derefnet_core::stream::{HeadMemory, Readout};
use derefnet_firmware::board::Room;
use derefnet_firmware::network::stream;
use derefnet_firmware::recording::{Frame, GOLDEN, scenes};
use derefnet_firmware::{models, say};

derefnet_firmware::program!(run);

static MEMORY: Room<HeadMemory<32>> = Room::new(HeadMemory::new());

fn run() -> bool {
    let scene = scenes(GOLDEN).next();
    scene
        .zip(MEMORY.take())
        .is_some_and(|(scene, memory)| show(scene, memory))
}

fn show(scene: impl Iterator<Item = Frame>, memory: &mut HeadMemory<32>) -> bool {
    let mut made = stream(models::EDGE, Readout::Fit, memory);
    let stream = match &mut made {
        Ok(stream) => stream,
        Err(error) => {
            say!("model: {error}");
            return false;
        }
    };
    let mut answers = 0;
    for (time, frame) in scene.enumerate() {
        let answer = match stream.push(&frame.readings, None) {
            Ok(Some(answer)) => answer,
            Ok(None) => {
                say!("frame {time}: not yet");
                continue;
            }
            Err(error) => {
                say!("frame {time}: {error}");
                return false;
            }
        };
        answers += 1;
        say!(
            "frame {time}: {} targets of frame {}",
            answer.targets.len(),
            time - 2
        );
        for target in &answer.targets {
            say!(
                "  row {:.3} ± {:.3} px, column {:.3} ± {:.3} px, {:.0} ± {:.0} counts",
                target.x,
                target.sigma_x,
                target.y,
                target.sigma_y,
                target.intensity,
                target.sigma_intensity
            );
        }
    }
    answers > 0
}
