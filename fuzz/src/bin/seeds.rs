//! Writes the small models that `load` starts from: `cargo run --bin seeds`.

use derefnet_fuzz::models::Small;

fn main() -> std::io::Result<()> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/load");
    std::fs::create_dir_all(folder)?;
    for (map, head, name) in [
        (Some(8), None, "map"),
        (None, Some(8), "head"),
        (Some(8), Some(8), "both"),
    ] {
        let file = Small { map, head, seed: 1 }.file();
        std::fs::write(format!("{folder}/{name}.dref"), file)?;
    }
    Ok(())
}
