//! Rust source without its comments and literals.

/// Blanks comments, strings and character literals of `text`; line breaks stay where they are.
pub fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        match blank_len(&chars, at) {
            0 => {
                out.push(chars[at]);
                at += 1;
            }
            len => {
                let end = (at + len).min(chars.len());
                let kept = chars[at..end]
                    .iter()
                    .map(|&c| if c == '\n' { c } else { ' ' });
                out.extend(kept);
                at = end;
            }
        }
    }
    out
}

/// Words of a line of code: identifiers and keywords.
pub fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
}

/// Length of the comment or literal that starts at `at`; 0 if none does.
fn blank_len(chars: &[char], at: usize) -> usize {
    let rest = &chars[at..];
    let in_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match rest {
        ['/', '/', ..] => rest.iter().take_while(|&&c| c != '\n').count(),
        ['/', '*', ..] => block_comment(rest),
        ['"', ..] => string(rest),
        ['r', '"' | '#', ..] if !in_word => raw_string(rest),
        ['\'', ..] => character(rest),
        _ => 0,
    }
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    at
}

fn string(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    at
}

/// `r"…"` or `r#"…"#`; 0 for a raw identifier.
fn raw_string(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|&&c| c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let start = 2 + hashes;
    let ends = |at: usize| {
        rest[at] == '"'
            && rest[at + 1..]
                .iter()
                .take(hashes)
                .filter(|&&c| c == '#')
                .count()
                == hashes
    };
    let end = (start..rest.len()).find(|&at| ends(at));
    end.map_or(rest.len(), |at| at + 1 + hashes)
}

/// `'x'` or `'\…'`; 0 for a lifetime.
fn character(rest: &[char]) -> usize {
    match rest {
        [_, '\\', _, tail @ ..] => {
            let tail = tail.iter().take_while(|&&c| c != '\'').count();
            tail + 4
        }
        [_, _, '\'', ..] => 3,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> bool {
        code(text)
            .lines()
            .any(|line| words(line).any(|w| w == "unsafe"))
    }

    #[test]
    fn comments_and_literals_are_no_code() {
        for text in [
            "// unsafe",
            "/* /* unsafe */ unsafe */",
            r#"let a = "unsafe \" unsafe";"#,
            "let a = r#\"unsafe \" unsafe\"#;",
            "#![deny(unsafe_code)]",
            "let r#unsafely = '\\'';",
        ] {
            assert!(!found(text), "{text}");
        }
    }

    #[test]
    fn code_behind_literals_is_seen() {
        for text in [
            "unsafe { f() }",
            "fn f<'a>(x: &'a str) { unsafe { g(x) } }",
            "let q = '\"'; unsafe {}",
            "let q = '\\''; unsafe {}",
            "/* */ unsafe fn f() {}",
            "let a = r\"\\\"; unsafe {}",
            "let a = b\"x\\\\\"; unsafe {}",
        ] {
            assert!(found(text), "{text}");
        }
    }

    #[test]
    fn lines_keep_their_numbers() {
        let text = "a\n/* b\n c */\n\"d\n e\"\nf";
        assert_eq!(code(text).lines().count(), text.lines().count());
    }
}
