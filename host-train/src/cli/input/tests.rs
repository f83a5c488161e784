use super::*;
use npyz::WriterBuilder;
use png::{BitDepth, ColorType};
use tempfile::{TempDir, tempdir};

/// Bytes of a PNG; `text` is a tEXt chunk.
fn png_bytes(
    (rows, columns): (u32, u32),
    colour: ColorType,
    depth: BitDepth,
    data: &[u8],
    text: Option<(&str, &str)>,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, columns, rows);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    if let Some((keyword, value)) = text {
        encoder
            .add_text_chunk(keyword.to_owned(), value.to_owned())
            .unwrap();
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(data).unwrap();
    writer.finish().unwrap();
    bytes
}

/// 16-bit grey picture with `value(row, column)`.
fn grey16(rows: u32, columns: u32, value: impl Fn(u32, u32) -> u16) -> Vec<u8> {
    let data: Vec<u8> = (0..rows * columns)
        .flat_map(|index| value(index / columns, index % columns).to_be_bytes())
        .collect();
    png_bytes(
        (rows, columns),
        ColorType::Grayscale,
        BitDepth::Sixteen,
        &data,
        None,
    )
}

/// Folder with pictures `image_<number>.png`.
fn folder(pictures: impl IntoIterator<Item = (usize, Vec<u8>)>) -> TempDir {
    let folder = tempdir().unwrap();
    for (number, bytes) in pictures {
        fs::write(folder.path().join(format!("image_{number}.png")), bytes).unwrap();
    }
    folder
}

/// Five good frames, the one numbered 3 replaced by `bytes`.
fn folder_with(bytes: Vec<u8>) -> TempDir {
    let good = |number| (number, grey16(11, 11, |row, column| (row + column) as u16));
    let folder = folder((1..=5).map(good));
    fs::write(folder.path().join("image_3.png"), bytes).unwrap();
    folder
}

fn read_one(path: &Path, at: &[At]) -> Result<Vec<Sequence>> {
    read(&[path.to_owned()], &Cut { at, mask: None })
}

fn complaint(path: &Path, at: &[At]) -> String {
    read_one(path, at).unwrap_err().to_string()
}

/// An `.npy` file of `values` in memory order.
fn npy<T: npyz::AutoSerialize + Copy>(shape: &[u64], order: npyz::Order, values: &[T]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = npyz::WriteOptions::new()
        .default_dtype()
        .shape(shape)
        .order(order)
        .writer(&mut bytes)
        .begin_nd()
        .unwrap();
    writer.extend(values.iter().copied()).unwrap();
    writer.finish().unwrap();
    bytes
}

fn saved(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("frames.npy");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn npy_complaint(bytes: &[u8]) -> String {
    let (_folder, path) = saved(bytes);
    complaint(&path, &[])
}

#[test]
fn folder_is_read_in_time_order() {
    let picture = |number| {
        (
            number,
            grey16(11, 11, |row, _| 500 * number as u16 + row as u16),
        )
    };
    let folder = folder([10, 2, 9, 1, 11, 100].map(picture));
    fs::write(folder.path().join("notes.txt"), "not a frame").unwrap();
    fs::write(folder.path().join(".image_3.png"), "half written").unwrap();
    let sequences = read_one(folder.path(), &[]).unwrap();
    assert_eq!(sequences.len(), 1);
    let sequence = &sequences[0];
    let first: Vec<f32> = (0..6).map(|time| sequence.frames[(time, 4, 7)]).collect();
    assert_eq!(first[..5], [504.0, 1004.0, 4504.0, 5004.0, 5504.0]);
    assert_eq!(sequence.origin, [[0, 0]; 6]);
    assert!(!sequence.name.is_empty());
}

#[test]
fn loose_pictures_form_one_sequence_in_time_order() {
    let picture = |number| (number, grey16(11, 11, |_, _| number as u16));
    let folder = folder((8..=12).map(picture));
    let mut paths: Vec<PathBuf> = list_folder(folder.path()).unwrap();
    paths.sort();
    let sequences = read(&paths, &Cut::default()).unwrap();
    let found: Vec<f32> = (0..5)
        .map(|time| sequences[0].frames[(time, 0, 0)])
        .collect();
    assert_eq!(found, [8.0, 9.0, 10.0, 11.0, 12.0]);
}

#[test]
fn names_order_by_first_number_then_naturally() {
    let mut names = ["t2_img_10", "t2_img_9", "cover", "t10_a", "t1", "t02_img_8"];
    names.sort_by(|a, b| time_order(a, b));
    assert_eq!(
        names,
        ["t1", "t02_img_8", "t2_img_9", "t2_img_10", "t10_a", "cover"]
    );
    assert_eq!(time_order("a_007", "a_7"), Ordering::Equal);
}

#[test]
fn same_number_twice_is_refused() {
    let folder = folder_with(grey16(11, 11, |_, _| 0));
    fs::copy(
        folder.path().join("image_2.png"),
        folder.path().join("image_02.png"),
    )
    .unwrap();
    assert!(complaint(folder.path(), &[]).contains("same place in time"));
}

#[test]
fn eight_bit_and_pedestal() {
    let picture = |number| {
        let data = [number as u8; 121];
        let text = Some((raster::PEDESTAL, "100"));
        (
            number,
            png_bytes((11, 11), ColorType::Grayscale, BitDepth::Eight, &data, text),
        )
    };
    let folder = folder((98..=102).map(picture));
    let sequences = read_one(folder.path(), &[]).unwrap();
    let found: Vec<f32> = (0..5)
        .map(|time| sequences[0].frames[(time, 5, 5)])
        .collect();
    assert_eq!(found, [-2.0, -1.0, 0.0, 1.0, 2.0]);
}

#[test]
fn bad_pedestal_is_refused() {
    for value in ["many", "inf", "-4", "1.5", "65536", ""] {
        let bytes = png_bytes(
            (11, 11),
            ColorType::Grayscale,
            BitDepth::Eight,
            &[0; 121],
            Some((raster::PEDESTAL, value)),
        );
        let message = complaint(folder_with(bytes).path(), &[]);
        assert!(
            message.contains("image_3.png") && message.contains("pedestal"),
            "{message}"
        );
    }
}

#[test]
fn colours_and_odd_depths_are_refused_by_name() {
    let cases = [
        (ColorType::Rgb, BitDepth::Eight, 363, "colour of 8 bits"),
        (
            ColorType::GrayscaleAlpha,
            BitDepth::Eight,
            242,
            "grey with transparency of 8 bits",
        ),
        (
            ColorType::Rgba,
            BitDepth::Sixteen,
            968,
            "colour with transparency of 16 bits",
        ),
        (ColorType::Grayscale, BitDepth::Four, 66, "grey of 4 bits"),
    ];
    for (colour, depth, length, found) in cases {
        let bytes = png_bytes((11, 11), colour, depth, &vec![0; length], None);
        let message = complaint(folder_with(bytes).path(), &[]);
        assert!(
            message.contains("image_3.png") && message.contains(found),
            "{message}"
        );
        assert!(
            message.contains("expected grey of 8 or 16 bits"),
            "{message}"
        );
    }
}

#[test]
fn every_truncation_of_a_picture_is_an_error() {
    let whole = grey16(11, 11, |row, column| (row * 300 + column) as u16);
    for length in 0..whole.len() {
        let message = complaint(folder_with(whole[..length].to_vec()).path(), &[]);
        assert!(message.contains("image_3.png"), "{length}: {message}");
    }
}

#[test]
fn wrong_sizes_are_refused() {
    let small = folder((1..=5).map(|number| (number, grey16(10, 11, |_, _| 0))));
    assert!(complaint(small.path(), &[]).contains("10x11 pixels, expected at least 11x11"));
    assert!(complaint(small.path(), &[At::Auto]).contains("10x11 pixels"));
    let large = folder((1..=5).map(|number| (number, grey16(20, 30, |_, _| 0))));
    assert!(
        complaint(large.path(), &[]).contains("20x30 pixels, expected 11x11 or the option --at")
    );
    let mixed = folder_with(grey16(12, 11, |_, _| 0));
    let message = complaint(mixed.path(), &[]);
    assert!(
        message.contains("frame 2: 12x11 pixels, expected 11x11"),
        "{message}"
    );
}

#[test]
fn few_frames_and_missing_files_are_refused() {
    let four = folder((1..=4).map(|number| (number, grey16(11, 11, |_, _| 0))));
    assert!(complaint(four.path(), &[]).contains("4 frames, expected at least 5"));
    let empty = tempdir().unwrap();
    assert!(complaint(empty.path(), &[]).contains("no .png files"));
    let missing = empty.path().join("nowhere");
    assert!(matches!(read_one(&missing, &[]), Err(Error::Io { path, .. }) if path == missing));
    let text = empty.path().join("frames.csv");
    fs::write(&text, "1,2,3").unwrap();
    assert!(complaint(&text, &[]).contains("neither a PNG picture nor an .npy array"));
}

#[test]
fn region_is_cut_where_asked() {
    let picture = |number| {
        (
            number,
            grey16(30, 40, |row, column| (100 * row + column) as u16),
        )
    };
    let folder = folder((1..=5).map(picture));
    let one = &read_one(folder.path(), &[At::Centre([15, 20])]).unwrap()[0];
    assert_eq!(one.origin, [[10, 15]; 5]);
    assert_eq!(one.frames[(4, 5, 5)], 1520.0);
    assert_eq!(one.frames[(0, 0, 0)], 1015.0);

    let each: Vec<At> = (0..5).map(|time| At::Centre([12 + time, 1])).collect();
    let moved = &read_one(folder.path(), &each).unwrap()[0];
    assert_eq!(moved.origin[3], [10, 0]);
    assert_eq!(moved.frames[(3, 0, 10)], 1010.0);
}

#[test]
fn positions_that_do_not_fit_are_refused() {
    let folder = folder((1..=5).map(|number| (number, grey16(30, 40, |_, _| 0))));
    let outside = complaint(folder.path(), &[At::Centre([30, 0])]);
    assert!(outside.contains("outside the frame of 30x40"), "{outside}");
    let two = complaint(folder.path(), &[At::Centre([9, 9]); 2]);
    assert!(
        two.contains("2 positions, expected 1 or one for each of 5"),
        "{two}"
    );
    let mixed = complaint(folder.path(), &[At::Auto, At::Centre([9, 9])]);
    assert!(mixed.contains("auto stands alone"), "{mixed}");
    let flat = complaint(folder.path(), &[At::Auto]);
    assert!(
        flat.contains("frame 0: nothing above its surroundings"),
        "{flat}"
    );
}

#[test]
fn blob_is_found_and_followed() {
    let picture = |number: usize| {
        let centre = (12 + number as u32, 25);
        let value = move |row: u32, column: u32| {
            let far = row.abs_diff(centre.0) + column.abs_diff(centre.1);
            50 + 300 / (1 + far * far) as u16
        };
        (number, grey16(40, 50, value))
    };
    let folder = folder((0..12).map(picture));
    let found = &read_one(folder.path(), &[At::Auto]).unwrap()[0];
    for (time, origin) in found.origin.iter().enumerate() {
        let off = (origin[0] + 5).abs_diff(12 + time);
        assert!(off <= 3 && origin[1] == 20, "{time}: {origin:?}");
        assert_eq!(found.frames[(time, 12 + time - origin[0], 5)], 350.0);
    }
}

/// A mask file of `rows × columns`, with the pixels of `places` excluded.
fn mask(folder: &Path, (rows, columns): (u32, u32), places: &[(u32, u32)]) -> Mask {
    let path = folder.join("mask.png");
    let flag = |row, column| u16::from(places.contains(&(row, column)));
    fs::write(&path, grey16(rows, columns, flag)).unwrap();
    Mask::read(&path).unwrap()
}

#[test]
fn masks_are_cut_with_their_frames_and_mend_them() {
    let picture = |number: usize| {
        let value = move |row: u32, column: u32| match (row, column) {
            (15, 20) => 60_000,
            _ => 100 * row as u16 + number as u16,
        };
        (number, grey16(30, 40, value))
    };
    let folder = folder((1..=5).map(picture));
    let aside = tempdir().unwrap();
    let mask = mask(aside.path(), (30, 40), &[(15, 20), (0, 39)]);
    let at: Vec<At> = (0..5).map(|time| At::Centre([15 + time, 20])).collect();
    let cut = Cut {
        at: &at,
        mask: Some(&mask),
    };
    let sequence = &read(&[folder.path().to_owned()], &cut).unwrap()[0];
    let excluded = sequence.excluded.as_ref().unwrap();
    assert_eq!(excluded.iter().filter(|&&flag| flag).count(), 5);
    for time in 0..5 {
        assert!(excluded[(time, 5 - time, 5)], "{time}");
        let mended = sequence.frames[(time, 5 - time, 5)];
        assert_eq!(mended, 1501.0 + time as f32);
    }
    let whole = &read_one(folder.path(), &at).unwrap()[0];
    assert_eq!(whole.excluded, None);
    assert_eq!(whole.frames[(0, 5, 5)], 60_000.0);
}

#[test]
fn masked_pixels_need_no_number_and_hide_no_blob() {
    let mut values = vec![1f32; 5 * 400];
    for time in 0..5 {
        let at = |row: usize, column: usize| 400 * time + 20 * row + column;
        // Three hot pixels in a row would pass for a blob.
        (0..3).for_each(|column| values[at(2, column)] = 900.0);
        values[at(3, 3)] = f32::NAN;
        for (row, column) in [(13, 14), (13, 13), (12, 14), (14, 14), (13, 15)] {
            values[at(row, column)] = 200.0;
        }
    }
    let (_folder, path) = saved(&npy(&[5, 20, 20], npyz::Order::C, &values));
    let aside = tempdir().unwrap();
    let mask = mask(aside.path(), (20, 20), &[(2, 0), (2, 1), (2, 2), (3, 3)]);
    let cut = Cut {
        at: &[At::Auto],
        mask: Some(&mask),
    };
    let sequence = &read(std::slice::from_ref(&path), &cut).unwrap()[0];
    assert_eq!(sequence.origin, [[8, 9]; 5]);
    assert_eq!(sequence.median(), 1.0);
    let none = Cut { mask: None, ..cut };
    let message = read(&[path], &none).unwrap_err().to_string();
    assert!(message.contains("row 3, column 3: NaN"), "{message}");
}

#[test]
fn masks_of_any_type_are_read() {
    let flags: Vec<bool> = (0..121).map(|index| index == 12).collect();
    let numbers: Vec<i16> = flags.iter().map(|&flag| -7 * i16::from(flag)).collect();
    let shape = [11, 11];
    for bytes in [
        npy(&shape, npyz::Order::C, &flags),
        npy(&shape, npyz::Order::Fortran, &flags),
        npy(&shape, npyz::Order::C, &numbers),
    ] {
        let (_folder, path) = saved(&bytes);
        let mask = Mask::read(&path).unwrap();
        let excluded = mask.region([0, 0]).unwrap();
        let places: Vec<_> = excluded.indexed_iter().filter(|(_, flag)| **flag).collect();
        assert_eq!(places.len(), 1);
        assert!(excluded[(1, 1)]);
    }
}

#[test]
fn arrays_of_every_type_and_order() {
    let count = 2 * 5 * 121;
    let shape = [2, 5, 11, 11];
    let check = |bytes: Vec<u8>, fortran: bool| {
        let (_folder, path) = saved(&bytes);
        let sequences = read_one(&path, &[]).unwrap();
        assert_eq!(sequences.len(), 2);
        assert_eq!(sequences[1].name, "frames[1]");
        let place = if fortran {
            1 + 2 * (3 + 5 * (4 + 11 * 6))
        } else {
            6 + 11 * (4 + 11 * (3 + 5))
        };
        assert_eq!(sequences[1].frames[(3, 4, 6)], (place % 100) as f32);
    };
    let numbers = || (0..count).map(|index| index % 100);
    macro_rules! each {
        ($($kind:ty),*) => {$(
            let values: Vec<$kind> = numbers().map(|value| value as $kind).collect();
            check(npy(&shape, npyz::Order::C, &values), false);
            check(npy(&shape, npyz::Order::Fortran, &values), true);
        )*};
    }
    each!(f32, f64, u8, u16, i8, i16, i32);
}

#[test]
fn array_of_one_sequence_keeps_its_name() {
    let (_folder, path) = saved(&npy(&[6, 11, 11], npyz::Order::C, &[1.5f64; 6 * 121]));
    let sequences = read_one(&path, &[]).unwrap();
    assert_eq!((sequences.len(), sequences[0].name.as_str()), (1, "frames"));
    assert_eq!(sequences[0].frames, Array3::from_elem((6, 11, 11), 1.5));
}

#[test]
fn big_endian_array_is_read() {
    let mut bytes = npy(&[5, 11, 11], npyz::Order::C, &[258u16; 605]);
    let at = bytes.windows(3).position(|part| part == b"<u2").unwrap();
    bytes[at] = b'>';
    let swapped = npy_values(&bytes);
    assert_eq!(swapped, 513.0);
}

fn npy_values(bytes: &[u8]) -> f32 {
    let (_folder, path) = saved(bytes);
    read_one(&path, &[]).unwrap()[0].frames[(0, 0, 0)]
}

#[test]
fn wrong_arrays_are_refused() {
    let c = npyz::Order::C;
    let shape = npy_complaint(&npy(&[605, 1], c, &[0f32; 605]));
    assert!(
        shape.contains("shape [605, 1], expected (frames, 11, 11)"),
        "{shape}"
    );
    let size = npy_complaint(&npy(&[5, 9, 9], c, &[0f32; 405]));
    assert!(size.contains("9x9 pixels"), "{size}");
    let few = npy_complaint(&npy(&[4, 11, 11], c, &[0f32; 484]));
    assert!(few.contains("4 frames, expected at least 5"), "{few}");
    let none = npy_complaint(&npy::<f32>(&[0, 5, 11, 11], c, &[]));
    assert!(none.contains("0 sequences"), "{none}");
    let kind = npy_complaint(&npy(&[5, 11, 11], c, &[0i64; 605]));
    assert!(kind.contains("'<i8', expected f4, f8"), "{kind}");
}

#[test]
fn non_finite_values_are_named() {
    let mut values = vec![0f64; 605];
    values[121 * 2 + 11 * 3 + 4] = f64::NAN;
    let nan = npy_complaint(&npy(&[5, 11, 11], npyz::Order::C, &values));
    assert!(
        nan.contains("frame 2: row 3, column 4: NaN, expected a number"),
        "{nan}"
    );
    // Finite as f64, but not as the f32 that the network computes with.
    values[121 * 2 + 11 * 3 + 4] = 1e300;
    assert!(npy_complaint(&npy(&[5, 11, 11], npyz::Order::C, &values)).contains("inf"));
}

#[test]
fn damaged_arrays_are_errors_and_never_panics() {
    let whole = npy(&[5, 11, 11], npyz::Order::C, &[7u8; 605]);
    let data = whole.len() - 605;
    for length in (6..data).chain([data, whole.len() - 1]) {
        let message = npy_complaint(&whole[..length]);
        assert!(message.contains("frames.npy"), "{message}");
    }
    let mut longer = whole.clone();
    longer.push(0);
    assert!(npy_complaint(&longer).contains("606 bytes of values, expected 605"));
    // Every byte of the header in turn, replaced by characters that matter to its grammar.
    for (place, letter) in (6..data).flat_map(|place| b"9(',-\xff\0".map(|letter| (place, letter)))
    {
        let mut bytes = whole.clone();
        bytes[place] = letter;
        let (_folder, path) = saved(&bytes);
        if let Ok(sequences) = read_one(&path, &[]) {
            assert_eq!(sequences[0].frames.dim(), (5, 11, 11));
        }
    }
}

/// An `.npy` file of version 2 with `text` as its header and no values.
fn npy_with_header(text: &str) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x02\x00".to_vec();
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}

#[test]
fn hostile_headers_are_refused() {
    let with_shape = |shape: &str| {
        let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n");
        npy_complaint(&npy_with_header(&text))
    };
    let overflow = with_shape("(4294967296, 4294967296, 11)");
    assert!(
        overflow.contains("digits, expected at most 18"),
        "{overflow}"
    );
    let large = with_shape("(99999, 9999, 9999)");
    assert!(large.contains("0 bytes of values, expected"), "{large}");
    let deep = with_shape(&"(".repeat(900));
    assert!(deep.contains("header"), "{deep}");
    let long = with_shape(&" ".repeat(2000));
    assert!(long.contains("expected at most 1024"), "{long}");
    let mut claims = npy_with_header("");
    claims[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(npy_complaint(&claims).contains("expected at most 1024"));
}

#[test]
fn options_parse_as_documented() {
    use clap::Parser;
    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        input: InputArgs,
    }
    let parse = |args: &[&str]| Program::try_parse_from([&["unmix"], args].concat());
    let input = parse(&["a.png", "--at", "40,52;41,53", "--at", "42,54", "b.png"])
        .unwrap()
        .input;
    assert_eq!(
        input.paths,
        [PathBuf::from("a.png"), PathBuf::from("b.png")]
    );
    assert_eq!(input.at, [[40, 52], [41, 53], [42, 54]].map(At::Centre));
    assert_eq!(
        parse(&["--at", "auto", "dir"]).unwrap().input.at,
        [At::Auto]
    );
    assert!(parse(&[]).is_err());
    assert!(parse(&["dir", "--at", "here"]).is_err());
}
