//! Words and punctuation of PTX, with their lines.

use crate::error::{Code, Fault, Result};

/// A word such as `ld.global.f32`, `%tid.x`, `0f3F800000`, or one character of punctuation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token<'a> {
    /// The text.
    pub text: &'a str,
    /// Line, from 1.
    pub line: u32,
}

fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '%' | '.')
}

/// Splits `text`; comments and white space vanish.
pub fn split(text: &str) -> Result<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(c) = rest.chars().next() {
        let len = match c {
            _ if c.is_whitespace() => c.len_utf8(),
            _ if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            _ if rest.starts_with("/*") => {
                let end = rest.find("*/").ok_or_else(|| {
                    Fault::new(
                        Code::INVALID_PTX,
                        format!("PTX line {line}: comment without end"),
                    )
                })?;
                end + 2
            }
            '"' => rest[1..].find('"').map_or(rest.len(), |end| end + 2),
            _ if in_word(c) => rest.find(|c| !in_word(c)).unwrap_or(rest.len()),
            _ => c.len_utf8(),
        };
        let (text, tail) = rest.split_at(len);
        if !(c.is_whitespace() || text.starts_with("//") || text.starts_with("/*")) {
            tokens.push(Token { text, line });
        }
        line += text.matches('\n').count() as u32;
        rest = tail;
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_dots() {
        let tokens =
            split("@!%p1 bra\t$L__BB0_2; // x\nld.param.u64 %rd2, [k_param_0+4];").unwrap();
        let text: Vec<_> = tokens.iter().map(|t| t.text).collect();
        let expected = [
            "@",
            "!",
            "%p1",
            "bra",
            "$L__BB0_2",
            ";",
            "ld.param.u64",
            "%rd2",
            ",",
            "[",
            "k_param_0",
            "+",
            "4",
            "]",
            ";",
        ];
        assert_eq!(text, expected);
        assert_eq!(tokens[6].line, 2);
    }
}
