//! Go regular expressions (RE2 syntax, pkg.go.dev/regexp/syntax) in this crate's syntax.
//!
//! Both describe regular languages; the differences are in spelling. Go's `\d \w \s \b`
//! are ASCII, everything else is Unicode; `\Q…\E`, octal escapes, `\p{^…}` and braces or
//! brackets that mean themselves do not exist here. What Go itself refuses (look-around,
//! back-references, possessive and atomic groups) is refused with the reason.

use regex_automata::meta::Regex;
use regex_automata::util::syntax;

/// Compiled patterns beyond this size are refused.
const MAX_COMPILED_BYTES: usize = 32 << 20;

/// Compiles a Go expression.
///
/// # Errors
/// The reason in words.
pub(crate) fn compile(go: &str) -> Result<Regex, String> {
    let pattern = translate(go)?;
    Regex::builder()
        .syntax(syntax::Config::new().unicode(true).utf8(false))
        .configure(Regex::config().utf8_empty(false).nfa_size_limit(Some(MAX_COMPILED_BYTES)))
        .build(&pattern)
        .map_err(|error| match (error.syntax_error(), error.size_limit()) {
            (Some(error), _) => one_line(&error.to_string()),
            (_, Some(_)) => "the compiled pattern is larger than 32 MiB".to_owned(),
            _ => one_line(&error.to_string()),
        })
}

/// The last line of a syntax error names the reason; the others draw the pattern.
pub(crate) fn one_line(error: &str) -> String {
    let last = error.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or(error).trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// The same expression in this crate's syntax.
///
/// # Errors
/// The reason in words, for what Go refuses, too.
pub(crate) fn translate(go: &str) -> Result<String, String> {
    let mut reader = Reader { letters: go.chars().collect(), at: 0, out: String::new() };
    while let Some(letter) = reader.next() {
        match letter {
            '\\' => reader.escape()?,
            '[' => reader.class()?,
            '(' => reader.group()?,
            '{' => reader.brace(),
            '*' | '+' | '?' => reader.repetition(letter)?,
            _ => reader.out.push(letter),
        }
    }
    Ok(reader.out)
}

struct Reader {
    letters: Vec<char>,
    at: usize,
    out: String,
}

/// What an escape stands for.
enum Escaped {
    Letter(char),
    /// Inside of a class: its members.
    Members(&'static str),
    /// Inside of a class: all but these.
    Others(&'static str),
    /// Unicode class, to be written as it is.
    Property(String),
}

impl Reader {
    fn next(&mut self) -> Option<char> {
        let letter = self.letters.get(self.at).copied();
        self.at += usize::from(letter.is_some());
        letter
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.letters.get(self.at + ahead).copied()
    }

    fn skip(&mut self, word: &str) -> bool {
        let is_there = word.chars().enumerate().all(|(ahead, letter)| self.peek(ahead) == Some(letter));
        self.at += if is_there { word.chars().count() } else { 0 };
        is_there
    }

    fn literal(&mut self, letter: char) {
        if regex_syntax::is_meta_character(letter) {
            self.out.push('\\');
        }
        self.out.push(letter);
    }

    fn escape(&mut self) -> Result<(), String> {
        match self.peek(0) {
            Some('b') => self.assertion("(?-u:\\b)"),
            Some('B') => self.assertion("(?-u:\\B)"),
            Some(letter @ ('A' | 'z')) => self.assertion(if letter == 'A' { "\\A" } else { "\\z" }),
            Some('Q') => {
                self.at += 1;
                while !self.skip("\\E") {
                    let Some(letter) = self.next() else { break };
                    self.literal(letter);
                }
            }
            Some('C') => return Err("\\C (a single byte) is not supported, nor is it by Go".to_owned()),
            Some('Z') => return Err("\\Z is not supported, nor is it by Go: use \\z".to_owned()),
            Some('k') => return Err("back-references are not supported, nor are they by Go".to_owned()),
            _ => match self.escaped()? {
                Escaped::Letter(letter) => self.literal(letter),
                Escaped::Members(members) => self.out.push_str(&format!("[{members}]")),
                Escaped::Others(members) => self.out.push_str(&format!("[^{members}]")),
                Escaped::Property(class) => self.out.push_str(&class),
            },
        }
        Ok(())
    }

    fn assertion(&mut self, text: &str) {
        self.at += 1;
        self.out.push_str(text);
    }

    /// The escape behind a backslash, inside or outside of a class.
    fn escaped(&mut self) -> Result<Escaped, String> {
        let letter = self.next().ok_or("a backslash ends the pattern")?;
        Ok(match letter {
            'd' => Escaped::Members("0-9"),
            'D' => Escaped::Others("0-9"),
            'w' => Escaped::Members("0-9A-Za-z_"),
            'W' => Escaped::Others("0-9A-Za-z_"),
            's' => Escaped::Members("\\t\\n\\f\\r "),
            'S' => Escaped::Others("\\t\\n\\f\\r "),
            'a' => Escaped::Letter('\u{7}'),
            'f' => Escaped::Letter('\u{c}'),
            'n' => Escaped::Letter('\n'),
            'r' => Escaped::Letter('\r'),
            't' => Escaped::Letter('\t'),
            'v' => Escaped::Letter('\u{b}'),
            'p' | 'P' => Escaped::Property(self.property(letter == 'P')?),
            'x' => Escaped::Letter(self.hex()?),
            '0' => Escaped::Letter(self.octal(0)?),
            '1'..='7' if self.peek(0).is_some_and(|next| next.is_digit(8)) => {
                Escaped::Letter(self.octal(letter.to_digit(8).unwrap_or_default())?)
            }
            '1'..='9' => return Err("back-references are not supported, nor are they by Go".to_owned()),
            letter if letter.is_ascii() && !letter.is_ascii_alphanumeric() => Escaped::Letter(letter),
            letter => return Err(format!("the escape \\{letter} is not known")),
        })
    }

    /// Up to three octal digits in all.
    fn octal(&mut self, first: u32) -> Result<char, String> {
        let mut number = first;
        for _ in 0..2 {
            let Some(digit) = self.peek(0).and_then(|next| next.to_digit(8)) else { break };
            number = number * 8 + digit;
            self.at += 1;
        }
        char::from_u32(number).ok_or_else(|| "an octal escape is out of range".to_owned())
    }

    fn hex(&mut self) -> Result<char, String> {
        let mut digits = String::new();
        if self.skip("{") {
            while let Some(letter) = self.next().filter(|letter| *letter != '}') {
                digits.push(letter);
            }
        } else {
            digits.extend([self.next(), self.next()].into_iter().flatten());
        }
        let number = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
        number.ok_or_else(|| "a \\x escape is not a character".to_owned())
    }

    /// `\pN`, `\p{Greek}`, `\p{^Greek}`.
    fn property(&mut self, mut is_negated: bool) -> Result<String, String> {
        let mut name = String::new();
        if self.skip("{") {
            is_negated ^= self.skip("^");
            while let Some(letter) = self.next().filter(|letter| *letter != '}') {
                name.push(letter);
            }
        } else {
            name.extend(self.next());
        }
        if name.is_empty() {
            return Err("a Unicode class has no name".to_owned());
        }
        Ok(format!("\\{}{{{name}}}", if is_negated { 'P' } else { 'p' }))
    }

    /// A group; Go has no look-around.
    fn group(&mut self) -> Result<(), String> {
        self.out.push('(');
        if self.peek(0) != Some('?') {
            return Ok(());
        }
        match (self.peek(1), self.peek(2)) {
            (Some('=' | '!'), _) | (Some('<'), Some('=' | '!')) => {
                return Err("look-around is not supported, nor is it by Go".to_owned());
            }
            (Some('>'), _) => return Err("atomic groups are not supported, nor are they by Go".to_owned()),
            (Some('P'), Some('<')) | (Some('<'), _) => {}
            (Some('P'), _) => {
                return Err("back-references by name are not supported, nor are they by Go".to_owned());
            }
            (Some('#'), _) => return Err("comments are not supported, nor are they by Go".to_owned()),
            _ => {
                let rest = self.letters.get(self.at + 1..).unwrap_or_default();
                let flags = rest.iter().take_while(|letter| !":)".contains(**letter));
                if let Some(flag) = flags.into_iter().find(|letter| !"imsU-".contains(**letter)) {
                    return Err(format!("the flag `{flag}` is not known to Go"));
                }
            }
        }
        self.at += 1;
        self.out.push('?');
        Ok(())
    }

    /// A brace that counts nothing means itself.
    fn brace(&mut self) {
        let rest = self.letters.get(self.at..).unwrap_or_default();
        let inside: String = rest.iter().take_while(|letter| **letter != '}').collect();
        let is_closed = rest.len() > inside.chars().count();
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let counts = match inside.split_once(',') {
            Some((least, most)) => is_number(least) && (most.is_empty() || is_number(most)),
            None => is_number(&inside),
        };
        self.out.push_str(if counts && is_closed { "{" } else { "\\{" });
    }

    /// `a*+` is possessive elsewhere; here it would repeat the repetition.
    fn repetition(&mut self, letter: char) -> Result<(), String> {
        self.out.push(letter);
        if self.peek(0) == Some('+') {
            return Err("possessive or nested repetition is not supported, nor is it by Go".to_owned());
        }
        Ok(())
    }

    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        if self.skip("^") {
            self.out.push('^');
        }
        let mut is_first = true;
        loop {
            let letter = self.peek(0).ok_or("a class is not closed")?;
            if letter == ']' && !is_first {
                self.at += 1;
                self.out.push(']');
                return Ok(());
            }
            is_first = false;
            if letter == '[' && self.peek(1) == Some(':') {
                let rest: String = self.letters.get(self.at..).unwrap_or_default().iter().collect();
                if let Some(end) = rest.find(":]") {
                    let named = rest.get(..end + 2).unwrap_or_default();
                    self.out.push_str(named);
                    self.at += named.chars().count();
                    continue;
                }
            }
            let Some(low) = self.member()? else { continue };
            self.literal(low);
            if self.peek(0) == Some('-') && self.peek(1).is_some_and(|next| next != ']') {
                self.at += 1;
                self.out.push('-');
                let high = self.member()?.ok_or("a range ends in a class")?;
                self.literal(high);
            }
        }
    }

    /// One letter of a class; classes within are written at once.
    fn member(&mut self) -> Result<Option<char>, String> {
        let letter = self.next().ok_or("a class is not closed")?;
        if letter != '\\' {
            return Ok(Some(letter));
        }
        match self.escaped()? {
            Escaped::Letter(letter) => return Ok(Some(letter)),
            Escaped::Members(members) => self.out.push_str(members),
            Escaped::Others(members) => self.out.push_str(&format!("[^{members}]")),
            Escaped::Property(class) => self.out.push_str(&class),
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(go: &str, text: &[u8]) -> Option<String> {
        let regex = compile(go).unwrap_or_else(|reason| panic!("{go}: {reason}"));
        regex.find(text).map(|found| String::from_utf8_lossy(&text[found.range()]).into_owned())
    }

    #[test]
    fn spelling_that_only_go_has_is_translated() {
        let cases = [
            (r"\Qa.b+\E[0-9]", "xa.b+7", Some("a.b+7")),
            (r"a{,3}", "aaa a{,3}", Some("a{,3}")),
            (r"\$\{[a-z]+}", "${abc}", Some("${abc}")),
            (r"{key}", "{key}", Some("{key}")),
            (r"[a[b&&c]+", "b[&a", Some("b[&a")),
            (r"[]x]+", "a]x]", Some("]x]")),
            (r"[+--]+", "a+,-.", Some("+,-")),
            (r"[\w~-]+", "é~a-b", Some("~a-b")),
            (r"[^\D5]+", "x1253", Some("12")),
            (r"\bkey\b", "ékey.", Some("key")),
            (r"\101\x42\x{43}", "ABC", Some("ABC")),
            (r"\<a\>\_\ \/", "<a>_ /", Some("<a>_ /")),
            (r"\p{^Greek}\pN", "αa٣", Some("a٣")),
            (r"\s", "\u{b}", None),
            (r"\d+", "٣12", Some("12")),
            (r"(?i)key", "KEY", Some("KEY")),
            (r"(?P<x>a)(?<y>b)", "ab", Some("ab")),
            (r"ab\z", "ab\n", None),
            (r"(?m)^b$", "a\nb\nc", Some("b")),
            (r"(?U)a+", "aaa", Some("a")),
            (r"[[:^alpha:]\-x]+", "ab1-xy", Some("1-x")),
            ("é.", "éé", Some("éé")),
        ];
        for (go, text, want) in cases {
            assert_eq!(found(go, text.as_bytes()).as_deref(), want, "{go}");
        }
    }

    #[test]
    fn what_go_lacks_is_refused_with_the_reason() {
        let cases = [
            ("a(?=b)", "look-around"),
            ("(?<!a)b", "look-around"),
            ("(?>a)", "atomic"),
            (r"(a)\1", "back-references"),
            ("(?P=name)", "back-references"),
            ("a++", "possessive"),
            (r"\Ca", r"\C"),
            (r"a\Z", r"\Z"),
            ("(?x)a", "flag `x`"),
            ("[a", "not closed"),
            (r"\p{Nobody}", "property"),
            ("(a", "unclosed"),
        ];
        for (go, reason) in cases {
            let refused = compile(go).err().unwrap_or_else(|| panic!("{go} compiles"));
            assert!(refused.contains(reason), "{go}: {refused}");
        }
    }
}
