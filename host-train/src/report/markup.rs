//! A small writer of HTML and SVG whose output is well-formed XML: elements close themselves, text and
//! values are escaped.

/// Markup under construction.
#[derive(Default)]
pub struct Markup {
    text: String,
}

/// Names and values of an element.
pub type Attributes<'a> = &'a [(&'a str, &'a str)];

impl Markup {
    /// What was written.
    pub fn finish(self) -> String {
        self.text
    }

    /// An element around what `inside` writes.
    pub fn element(&mut self, name: &str, attributes: Attributes, inside: impl FnOnce(&mut Self)) {
        self.start(name, attributes);
        self.text.push('>');
        inside(self);
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    /// An element around `text`.
    pub fn tagged(&mut self, name: &str, attributes: Attributes, text: &str) {
        self.element(name, attributes, |inside| inside.text(text));
    }

    /// An element without content.
    pub fn empty(&mut self, name: &str, attributes: Attributes) {
        self.start(name, attributes);
        self.text.push_str("/>");
    }

    fn start(&mut self, name: &str, attributes: Attributes) {
        // A line for each element that starts a block keeps the source readable and searchable.
        if matches!(
            name,
            "section" | "h2" | "h3" | "figure" | "tr" | "table" | "p"
        ) {
            self.text.push('\n');
        }
        self.text.push('<');
        self.text.push_str(name);
        for (key, value) in attributes {
            self.text.push(' ');
            self.text.push_str(key);
            self.text.push_str("=\"");
            escape(&mut self.text, value);
            self.text.push('"');
        }
    }

    /// Text.
    pub fn text(&mut self, text: &str) {
        escape(&mut self.text, text);
    }

    /// Text in which `code` stands between backticks.
    pub fn prose(&mut self, text: &str) {
        if text.matches('`').count() % 2 == 1 {
            return self.text(text);
        }
        for (k, part) in text.split('`').enumerate() {
            if k % 2 == 1 {
                self.tagged("code", &[], part);
            } else {
                self.text(part);
            }
        }
    }

    /// What is markup already.
    pub fn verbatim(&mut self, markup: &str) {
        self.text.push_str(markup);
    }
}

fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // XML has no place for other control characters.
            c if c.is_control() && !matches!(c, '\n' | '\t' | '\r') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

/// A coordinate, to a tenth of a unit.
pub fn place(value: f64) -> String {
    let text = format!("{value:.1}");
    match text.strip_suffix(".0") {
        Some("-0") => "0".to_owned(),
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

/// A whole number with its thousands apart.
pub fn whole(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (k, digit) in digits.chars().enumerate() {
        if k > 0 && (digits.len() - k).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of any size, to about three digits.
pub fn about(value: f64) -> String {
    match value.abs() {
        size if size >= 99.95 => whole(value.round() as u64),
        size if size >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A name for a link within the page.
pub fn anchor(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_values_are_escaped() {
        let mut page = Markup::default();
        let nasty = "<script>\"a\" & 'b'\u{1}</script>";
        page.element("p", &[("title", nasty)], |p| p.text(nasty));
        let safe = "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;\u{fffd}&lt;/script&gt;";
        assert_eq!(page.finish(), format!("\n<p title=\"{safe}\">{safe}</p>"));
    }

    #[test]
    fn code_stands_between_backticks() {
        let write = |text: &str| {
            let mut page = Markup::default();
            page.prose(text);
            page.finish()
        };
        assert_eq!(write("a `<b>` c"), "a <code>&lt;b&gt;</code> c");
        assert_eq!(write("a ` b"), "a ` b");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [1.04, -0.04, 12.25, 3.0].map(place),
            ["1", "0", "12.2", "3"]
        );
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(whole),
            ["0", "999", "1,000", "1,234,567"]
        );
        let texts = [0.123, 2.744, 17.33, 99.96, 2698.3].map(about);
        assert_eq!(texts, ["0.12", "2.74", "17.3", "100", "2,698"]);
        assert_eq!(
            anchor("Table 7: the <23> methods"),
            "table-7-the-23-methods"
        );
    }
}
