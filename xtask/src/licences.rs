//! Licences of the dependency tree, against the list in `deny.toml`.

use serde_json::Value;

use crate::shell::{cargo, output, root, run, works};
use crate::step::Outcome;

/// Every dependency, for every platform, is under a licence that `deny.toml` allows.
pub fn check() -> Result<Outcome, String> {
    let path = root().join("deny.toml");
    let text = std::fs::read_to_string(path).map_err(|error| format!("deny.toml: {error}"))?;
    let allowed = allowed(&text)?;
    let args = [
        "metadata",
        "--format-version=1",
        "--locked",
        "--all-features",
    ];
    let metadata = output(cargo(&args))?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| error.to_string())?;
    let packages = metadata["packages"]
        .as_array()
        .ok_or("cargo metadata: no packages")?;
    let findings: Vec<String> = packages
        .iter()
        .filter_map(|package| finding(package, &allowed))
        .collect();
    if findings.is_empty() && works(cargo(&["deny", "--version"])) {
        run(cargo(&["deny", "check", "licenses", "bans", "sources"]))?;
        return Ok(Outcome::noted(vec!["cargo-deny agrees".to_owned()]));
    }
    Ok(Outcome::unless(findings))
}

fn finding(package: &Value, allowed: &[String]) -> Option<String> {
    let name = package["name"].as_str().unwrap_or("?");
    let version = package["version"].as_str().unwrap_or("?");
    let Some(licence) = package["license"].as_str() else {
        return Some(format!("{name} {version}: names no licence"));
    };
    match satisfied(licence, allowed) {
        Ok(true) => None,
        Ok(false) => Some(format!(
            "{name} {version}: '{licence}' is not allowed by deny.toml"
        )),
        Err(error) => Some(format!("{name} {version}: '{licence}': {error}")),
    }
}

/// The entries of `allow = […]`, one a line.
fn allowed(deny: &str) -> Result<Vec<String>, String> {
    let (_, list) = deny
        .split_once("\nallow = [")
        .ok_or("deny.toml: no list 'allow'")?;
    let (list, _) = list
        .split_once(']')
        .ok_or("deny.toml: 'allow' does not end")?;
    let entries = list.split(',').map(|entry| entry.trim().trim_matches('"'));
    Ok(entries
        .filter(|entry| !entry.is_empty())
        .map(str::to_owned)
        .collect())
}

/// Whether an SPDX expression can be met by `allowed` licences; `/` is the old way to write OR.
fn satisfied(expression: &str, allowed: &[String]) -> Result<bool, String> {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser {
        tokens: &tokens,
        allowed,
    };
    let result = parser.any()?;
    match parser.tokens {
        [] => Ok(result),
        [token, ..] => Err(format!("unexpected '{token}'")),
    }
}

struct Parser<'a> {
    tokens: &'a [&'a str],
    allowed: &'a [String],
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn accept(&mut self, token: &str) -> bool {
        let found = self.tokens.first() == Some(&token);
        if found {
            self.next();
        }
        found
    }

    fn any(&mut self) -> Result<bool, String> {
        let mut result = self.all()?;
        while self.accept("OR") {
            result |= self.all()?;
        }
        Ok(result)
    }

    fn all(&mut self) -> Result<bool, String> {
        let mut result = self.one()?;
        while self.accept("AND") {
            result &= self.one()?;
        }
        Ok(result)
    }

    fn one(&mut self) -> Result<bool, String> {
        if self.accept("(") {
            let result = self.any()?;
            return if self.accept(")") {
                Ok(result)
            } else {
                Err("missing ')'".to_owned())
            };
        }
        let mut name = self.next().ok_or("ends too early")?.to_owned();
        if self.accept("WITH") {
            let exception = self.next().ok_or("ends after WITH")?;
            name = format!("{name} WITH {exception}");
        }
        Ok(self.allowed.contains(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        let allowed = ["MIT", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
        let ok = |text: &str| satisfied(text, &allowed);
        assert_eq!(ok("MIT"), Ok(true));
        assert_eq!(ok("GPL-3.0"), Ok(false));
        assert_eq!(ok("GPL-3.0 OR MIT"), Ok(true));
        assert_eq!(ok("GPL-3.0/MIT"), Ok(true));
        assert_eq!(ok("GPL-3.0 AND MIT"), Ok(false));
        assert_eq!(ok("(GPL-3.0 OR MIT) AND MIT"), Ok(true));
        assert_eq!(ok("GPL-3.0 OR MIT AND Zlib"), Ok(false));
        assert_eq!(ok("Apache-2.0 WITH LLVM-exception"), Ok(true));
        assert_eq!(ok("Apache-2.0"), Ok(false));
        assert!(ok("(MIT").is_err());
        assert!(ok("MIT MIT").is_err());
        assert!(ok("").is_err());
    }

    #[test]
    fn list_of_deny_toml() {
        let text = "[licenses]\nallow = [\n    \"MIT\",\n    \"Zlib\",\n]\n";
        assert_eq!(allowed(text), Ok(vec!["MIT".to_owned(), "Zlib".to_owned()]));
        assert!(allowed("[licenses]\n").is_err());
    }
}
