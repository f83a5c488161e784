use super::*;

/// The check value of CRC-32C ("123456789"), as RFC 3720 and the catalogues of CRCs print it.
#[test]
fn check_value_of_the_crc() {
    assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    // RFC 3720, B.4: 32 bytes of zeros.
    assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
}

#[test]
fn varints() {
    assert_eq!(varint(0), [0]);
    assert_eq!(varint(127), [127]);
    assert_eq!(varint(300), [0xAC, 2]);
    assert_eq!(varint(u64::MAX).len(), 10);
}

fn row(step: u64) -> LogRow {
    LogRow {
        step,
        rate: 1e-4,
        loss: 0.1234567,
        constraint: 3.0,
        align: 2.0,
        regression: 0.25,
        seconds: 0.5,
    }
}

fn checked(step: u64) -> ValidationRow {
    ValidationRow {
        step,
        cso_map: 44.5,
        aps: [1.0, 2.0, 3.0, 4.0, 5.0],
    }
}

/// What a reader of these files finds: wall time, step, tag and value of every scalar.
#[derive(Debug, PartialEq)]
struct Scalar(f64, u64, String, f32);

/// Splits `data` into protobuf fields: number, wire type and content.
fn fields(mut data: &[u8]) -> Vec<(u8, Vec<u8>)> {
    fn number(data: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let (first, rest) = data.split_first().unwrap();
            *data = rest;
            value |= u64::from(first & 0x7F) << shift;
            shift += 7;
            if first & 0x80 == 0 {
                return value;
            }
        }
    }
    let mut all = Vec::new();
    while !data.is_empty() {
        let key = number(&mut data);
        let content = match key & 7 {
            0 => number(&mut data).to_le_bytes().to_vec(),
            wire => {
                let length = match wire {
                    1 => 8,
                    5 => 4,
                    _ => number(&mut data) as usize,
                };
                let (content, rest) = data.split_at(length);
                data = rest;
                content.to_vec()
            }
        };
        all.push((key as u8 >> 3, content));
    }
    all
}

fn field(all: &[(u8, Vec<u8>)], number: u8) -> &[u8] {
    &all.iter().find(|(n, _)| *n == number).unwrap().1
}

/// Records of a file; every checksum must fit.
fn records(mut file: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while !file.is_empty() {
        let (head, rest) = file.split_at(12);
        let length = u64::from_le_bytes(head[..8].try_into().unwrap()) as usize;
        assert_eq!(head[8..], masked(&head[..8]).to_le_bytes());
        let (data, rest) = rest.split_at(length);
        let (crc, rest) = rest.split_at(4);
        assert_eq!(crc, masked(data).to_le_bytes());
        all.push(data.to_vec());
        file = rest;
    }
    all
}

fn scalars(file: &[u8]) -> Vec<Scalar> {
    let records = records(file);
    assert_eq!(field(&fields(&records[0]), 3), b"brain.Event:2");
    let mut all = Vec::new();
    for record in &records[1..] {
        let event = fields(record);
        let time = f64::from_le_bytes(field(&event, 1).try_into().unwrap());
        let step = u64::from_le_bytes(field(&event, 2).try_into().unwrap());
        for (_, value) in fields(field(&event, 5)) {
            let value = fields(&value);
            let tag = String::from_utf8(field(&value, 1).to_vec()).unwrap();
            let scalar = f32::from_le_bytes(field(&value, 2).try_into().unwrap());
            all.push(Scalar(time, step, tag, scalar));
        }
    }
    all
}

/// First record: `Event { wall_time: 0, file_version: "brain.Event:2" }`, 24 bytes. Its checksums
/// come from a table-driven CRC-32C in Python, `T[(crc ^ byte) & 255] ^ (crc >> 8)`, masked as
/// `((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF`; TensorBoard 2 accepts them.
#[test]
fn bytes_of_the_first_record() {
    let file = encode(&[], &[]);
    assert_eq!(file[..8], [24, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(file[8..12], [0xA3, 0x7F, 0x4B, 0x22]);
    assert_eq!(file[12..23], [9, 0, 0, 0, 0, 0, 0, 0, 0, 0x1A, 13]);
    assert_eq!(&file[23..36], b"brain.Event:2");
    assert_eq!(file[36..], [0xEE, 0xDF, 0x28, 0xA3]);
}

#[test]
fn reads_back_in_order_of_steps() {
    let file = encode(
        &[row(7), row(20), row(40)],
        &[checked(10), checked(20), checked(50)],
    );
    let found = scalars(&file);
    let steps: Vec<u64> = found.iter().map(|s| s.1).collect();
    let expected = [[7; 5].as_slice(), &[10; 6], &[20; 11], &[40; 5], &[50; 6]].concat();
    assert_eq!(steps, expected);
    let scalar = |time, step, tag: &str, value| Scalar(time, step, tag.to_owned(), value);
    let losses = [
        scalar(3.5, 7, "loss/total", 0.123457),
        scalar(3.5, 7, "loss/constraint", 3.0),
        scalar(3.5, 7, "loss/align", 2.0),
        scalar(3.5, 7, "loss/regression", 0.25),
        scalar(3.5, 7, "rate", 1e-4),
        scalar(3.5, 10, "validation/cso_map", 44.5),
        scalar(3.5, 10, "validation/ap05", 1.0),
    ];
    assert_eq!(found[..7], losses);
    assert_eq!(found[10], scalar(3.5, 10, "validation/ap25", 5.0));
    assert_eq!(found[27].0, 20.0);
}

#[test]
fn grows_in_place_and_drops_what_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(EVENTS);
    let rows = [row(20), row(40), row(60)];
    write(&path, &rows[..2], &[]).unwrap();
    let mut reader = std::fs::File::open(&path).unwrap();
    write(&path, &rows, &[checked(60)]).unwrap();
    let mut seen = Vec::new();
    std::io::Read::read_to_end(&mut reader, &mut seen).unwrap();
    assert_eq!(
        seen,
        encode(&rows, &[checked(60)]),
        "an open reader sees the new events"
    );

    let again = [
        row(20),
        LogRow {
            seconds: 0.75,
            ..row(40)
        },
    ];
    write(&path, &again, &[]).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), encode(&again, &[]));

    // A crash in the middle of an append.
    let whole = encode(&rows, &[]);
    std::fs::write(&path, &whole[..whole.len() - 9]).unwrap();
    write(&path, &rows, &[]).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), whole);
}
