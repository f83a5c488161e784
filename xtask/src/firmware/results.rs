//! Lines that programs print: a key and words.

/// The words behind `key` of every line that begins with it.
pub fn words<'t>(text: &'t str, key: &str) -> Vec<Vec<&'t str>> {
    let lines = text.lines().map(|line| line.split_whitespace());
    lines
        .filter_map(|mut words| (words.next() == Some(key)).then(|| words.collect()))
        .collect()
}

/// A number out of a line that begins with `key`.
pub fn number(key: &str, text: &str) -> Result<f64, String> {
    text.parse()
        .map_err(|_| format!("{key}: expected a number, got '{text}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_by_their_key() {
        let text = "set dsp\nticks conv dsp 1600 2000\nhash kernels 0a\nticksy\n";
        assert_eq!(words(text, "hash"), [["kernels", "0a"]]);
        assert_eq!(words(text, "ticks").len(), 1);
        assert_eq!(number("ticks", "1600"), Ok(1600.0));
        assert!(number("ticks", "dsp").unwrap_err().contains("dsp"));
    }
}
