//! Writes the small models that `load` starts from: `cargo run --bin seeds`.

use derefnet_fuzz::models::{Sizes, random_model};

fn main() -> std::io::Result<()> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/load");
    std::fs::create_dir_all(folder)?;
    for (map, head, name) in [
        (Some([8, 1, 1]), None, "map"),
        (None, Some([8, 1]), "head"),
        (Some([8, 1, 1]), Some([8, 1]), "both"),
    ] {
        let file = random_model(1, Sizes { map, head });
        std::fs::write(format!("{folder}/{name}.dref"), file)?;
    }
    Ok(())
}
