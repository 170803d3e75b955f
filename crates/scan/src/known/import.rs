//! Reads known secrets from what vaults and people write.
//!
//! Errors say where and why, never what stands there. Values are moved, not copied, and wiped
//! on drop; a parser that grows its buffer may leave an earlier one behind.

use super::{KnownName, Refusal, Refused, json};
use std::fmt;
use zeroize::Zeroizing;

/// A secret on its way to `KnownSecrets`.
pub(crate) struct Secret {
    pub(super) value: Zeroizing<Vec<u8>>,
    pub(super) name: KnownName,
}

/// What one source holds.
#[derive(Default)]
pub struct Import {
    pub(super) secrets: Vec<Secret>,
    pub(super) refused: Vec<Refused>,
}

/// How a source is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// `NAME=value` lines.
    Dotenv,
    /// Vault, AWS, Google, Azure, Kubernetes, 1Password, or any nested JSON.
    Json,
    /// `name,value[,path]` (RFC 4180), with or without a header.
    Csv,
    /// The bytes are one value; one line end at their end is not part of it.
    Bytes,
}

/// Why a source could not be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct ImportError {
    /// Where it came from.
    pub origin: String,
    /// 1-based line, 0 if unknown.
    pub line: usize,
    /// Why.
    pub reason: String,
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.origin, self.reason),
            line => write!(f, "{}:{line}: {}", self.origin, self.reason),
        }
    }
}

impl Format {
    /// The format a file name and its first byte suggest; `Bytes` if they suggest none.
    pub fn detect(file_name: &str, bytes: &[u8]) -> Self {
        let name = file_name.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        let ends = |end: &str| name.ends_with(end);
        match bytes.trim_ascii_start().first() {
            _ if ends(".json") => Self::Json,
            _ if ends(".csv") => Self::Csv,
            _ if ends(".env") || name.starts_with(".env") => Self::Dotenv,
            Some(b'{' | b'[') => Self::Json,
            _ => Self::Bytes,
        }
    }
}

impl Import {
    /// Reads a source; `origin` names it and begins the path of each secret.
    ///
    /// # Errors
    /// When the source is not of the format, or holds names without values only.
    pub fn read(format: Format, origin: &str, bytes: &[u8]) -> Result<Self, ImportError> {
        let mut import = Self::default();
        match format {
            Format::Dotenv => import.dotenv(origin, bytes)?,
            Format::Json => json::read(&mut import, origin, bytes)?,
            Format::Csv => import.csv(origin, bytes)?,
            Format::Bytes if is_name_table(bytes) => {
                let reason = json::NO_VALUES.to_owned();
                return Err(ImportError { origin: origin.to_owned(), line: 1, reason });
            }
            Format::Bytes => {
                let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
                import.add(line.strip_suffix(b"\r").unwrap_or(line).to_vec(), origin, origin);
            }
        }
        Ok(import)
    }

    /// How many values were read.
    pub fn len(&self) -> usize {
        self.secrets.len()
    }

    /// Whether no value was read.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    pub(super) fn add(&mut self, value: Vec<u8>, name: &str, path: &str) {
        let name = KnownName { name: name.to_owned(), path: path.to_owned() };
        self.secrets.push(Secret { value: Zeroizing::new(value), name });
    }

    pub(super) fn refuse(&mut self, name: &str, path: &str, reason: Refusal) {
        let name = KnownName { name: name.to_owned(), path: path.to_owned() };
        self.refused.push(Refused { name, reason });
    }

    fn dotenv(&mut self, origin: &str, bytes: &[u8]) -> Result<(), ImportError> {
        let mut at = 0;
        while at < bytes.len() {
            let fail = |reason: &str| ImportError {
                origin: origin.to_owned(),
                line: line_of(bytes, at),
                reason: reason.to_owned(),
            };
            let rest = bytes.get(at..).unwrap_or_default();
            let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let text = line.trim_ascii();
            if text.is_empty() || text.starts_with(b"#") {
                at += line.len() + 1;
                continue;
            }
            let sign =
                line.iter().position(|byte| *byte == b'=').ok_or_else(|| fail("no `=` in this line"))?;
            let name = line.get(..sign).unwrap_or_default().trim_ascii();
            let name = name.strip_prefix(b"export ").unwrap_or(name).trim_ascii();
            let is_name =
                !name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(b));
            if !is_name {
                return Err(fail("what stands before `=` is not a name"));
            }
            let value = rest.get(sign + 1..).unwrap_or_default();
            let (value, used) = dotenv_value(value).ok_or_else(|| fail("a quote is not closed"))?;
            let name = String::from_utf8_lossy(name);
            self.add(value, &name, &format!("{origin}#{name}"));
            at += sign + 1 + used;
        }
        Ok(())
    }

    fn csv(&mut self, origin: &str, bytes: &[u8]) -> Result<(), ImportError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut at = 0;
        let mut is_first = true;
        while at < bytes.len() {
            let fail = |reason: &str| ImportError {
                origin: origin.to_owned(),
                line: line_of(bytes, at),
                reason: reason.to_owned(),
            };
            let (mut fields, used) = csv_record(bytes.get(at..).unwrap_or_default())
                .ok_or_else(|| fail("a quote is not closed, or text follows a closed one"))?;
            let next = at + used;
            let is_header = std::mem::take(&mut is_first)
                && fields.first().is_some_and(|field| field.eq_ignore_ascii_case(b"name"))
                && fields.get(1).is_some_and(|field| field.eq_ignore_ascii_case(b"value"));
            if is_header || fields.iter().all(|field| field.is_empty()) {
                at = next;
                continue;
            }
            if !(2..=3).contains(&fields.len()) {
                return Err(fail("a line has two or three fields: name,value[,path]"));
            }
            let name = String::from_utf8_lossy(fields.first().map_or(&[][..], |field| field)).into_owned();
            let path = fields.get(2).filter(|path| !path.is_empty());
            let path = path.map_or_else(
                || format!("{origin}#{name}"),
                |path| String::from_utf8_lossy(path).into_owned(),
            );
            let value = fields.get_mut(1).map(|value| std::mem::take(&mut **value)).unwrap_or_default();
            self.add(value, &name, &path);
            at = next;
        }
        Ok(())
    }
}

/// What `gh secret list` prints into a pipe: name, tab, date.
fn is_name_table(bytes: &[u8]) -> bool {
    let is_row = |line: &[u8]| {
        let mut cells = line.split(|byte| *byte == b'\t');
        let name = cells.next().unwrap_or_default();
        let is_name = name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let date = cells.next().and_then(|date| std::str::from_utf8(date).ok());
        is_name && date.and_then(leakgraph_model::Timestamp::parse).is_some()
    };
    let mut lines = bytes.trim_ascii_end().split(|byte| *byte == b'\n');
    lines.all(|line| is_row(line.trim_ascii_end()))
}

fn line_of(bytes: &[u8], at: usize) -> usize {
    1 + memchr::memchr_iter(b'\n', bytes.get(..at).unwrap_or_default()).count()
}

/// A value of a dotenv file and the bytes up to the next line.
fn dotenv_value(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let lead = text.iter().take_while(|byte| b" \t".contains(byte)).count();
    let body = text.get(lead..)?;
    let line_end = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        from + memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1)
    };
    let Some(quote) = body.first().copied().filter(|byte| b"\"'`".contains(byte)) else {
        let end = line_end(lead);
        let line = text.get(lead..end)?;
        let comment = memchr::memmem::find(line, b" #").unwrap_or(line.len());
        return Some((line.get(..comment)?.trim_ascii().to_vec(), end));
    };
    let mut value = Vec::new();
    let mut letters = body.iter().copied().enumerate().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            _ if letter == quote => return Some((value, line_end(lead + at + 1))),
            b'\\' if quote == b'"' => match letters.next()?.1 {
                b'n' => value.push(b'\n'),
                b'r' => value.push(b'\r'),
                b't' => value.push(b'\t'),
                escaped if b"\"\\$`'".contains(&escaped) => value.push(escaped),
                other => value.extend([b'\\', other]),
            },
            _ => value.push(letter),
        }
    }
    None
}

/// The fields of a record and its bytes.
fn csv_record(text: &[u8]) -> Option<(Vec<Zeroizing<Vec<u8>>>, usize)> {
    let mut fields = vec![Zeroizing::new(Vec::new())];
    let mut at = 0;
    loop {
        let field = fields.last_mut()?;
        if text.get(at) == Some(&b'"') {
            at += 1;
            loop {
                match (text.get(at)?, text.get(at + 1)) {
                    (b'"', Some(b'"')) => {
                        field.push(b'"');
                        at += 2;
                    }
                    (b'"', _) => break,
                    (letter, _) => {
                        field.push(*letter);
                        at += 1;
                    }
                }
            }
            at += 1;
        } else {
            let rest = text.get(at..)?;
            let end = rest.iter().position(|byte| b",\r\n".contains(byte)).unwrap_or(rest.len());
            field.extend_from_slice(rest.get(..end)?);
            at += end;
        }
        match text.get(at) {
            Some(b',') => fields.push(Zeroizing::new(Vec::new())),
            Some(b'\r') if text.get(at + 1) == Some(&b'\n') => return Some((fields, at + 2)),
            Some(b'\r' | b'\n') => return Some((fields, at + 1)),
            None => return Some((fields, at)),
            Some(_) => return None,
        }
        at += 1;
    }
}
