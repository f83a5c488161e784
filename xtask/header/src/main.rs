//! Prints the C header of the sources named on the command line.

use std::io::Write;
use std::process::ExitCode;

use cbindgen::{Builder, Config, DocumentationStyle, Language, Style};

const HEADER: &str = "\
/* The C interface of derefnet-core: targets in a stream of 11x11 frames.
 *
 * Written by `cargo xtask header` from core/src/capi; do not edit.
 *
 *     static _Alignas(DREF_STREAM_ALIGNMENT) unsigned char memory[DREF_EDGE_STREAM_BYTES];
 *     DrefStream *stream;
 *     DrefStatus status =
 *         dref_edge_stream_init(memory, sizeof memory, file, length, NULL, &stream);
 *     while (status >= 0 && next_frame(readings)) {
 *         DrefAnswer answer;
 *         status = dref_push(stream, readings, NULL, &answer);
 *         if (status == DREF_OK) use(&answer);
 *     }
 *
 * Nothing is allocated, and nothing is global: streams do not know of each other.
 */";

fn config() -> Config {
    let mut config = Config {
        language: Language::C,
        style: Style::Type,
        cpp_compat: true,
        include_guard: Some("DEREFNET_H".to_owned()),
        header: Some(HEADER.to_owned()),
        no_includes: true,
        sys_includes: ["stddef.h", "stdint.h"].map(str::to_owned).to_vec(),
        after_includes: Some(
            "\n#if UINTPTR_MAX > 0xFFFFFFFF\n#define DREF_64_BIT\n#endif".to_owned(),
        ),
        usize_is_size_t: true,
        documentation_style: DocumentationStyle::C,
        ..Config::default()
    };
    let defines = [("target_pointer_width = 64", "DREF_64_BIT")];
    let defines = defines.map(|(cfg, macro_)| (cfg.to_owned(), macro_.to_owned()));
    config.defines.extend(defines);
    config
}

fn main() -> ExitCode {
    let mut builder = Builder::new().with_config(config());
    for source in std::env::args_os().skip(1) {
        builder = builder.with_src(source);
    }
    match builder.generate() {
        Ok(bindings) => {
            let mut text = Vec::new();
            bindings.write(&mut text);
            let written = std::io::stdout().write_all(&text);
            written.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
