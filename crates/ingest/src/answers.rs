//! Errors of a server that were saved where its answer was meant: a body of JSON, XML or
//! HTML, or what a command line printed instead.

use serde_json::Value;

/// Longer files are no error.
const MAX_BYTES: usize = 64 << 10;
/// What errors say, by how they say it (GitHub REST API, "Troubleshooting the REST API";
/// Azure Blob Storage error codes, behind which GitHub keeps logs). Only these words are
/// ever repeated: what else an answer says may be anything.
const SAYINGS: [(&str, &str); 18] = [
    ("not found", "not found"),
    ("bad credentials", "bad credentials"),
    ("rate limit", "rate limit exceeded"),
    ("must have admin rights", "admin rights needed"),
    ("not accessible by", "not accessible with this token"),
    ("requires authentication", "authentication needed"),
    ("authenticationfailed", "the address of the log was no longer valid"),
    ("blobnotfound", "not found"),
    ("resourcenotfound", "not found"),
    ("unauthorized", "unauthorised"),
    ("forbidden", "forbidden"),
    ("access denied", "forbidden"),
    ("accessdenied", "forbidden"),
    ("gone", "gone"),
    ("expired", "expired"),
    ("server error", "server error"),
    ("unicorn", "server error"),
    ("sign in", "a page to sign in"),
];

/// The error a file holds, if it holds nothing else.
pub(crate) fn api_error(bytes: &[u8]) -> Option<String> {
    if bytes.len() > MAX_BYTES {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?.trim_start_matches('\u{feff}').trim();
    if text.starts_with('{') {
        return error_of_value(&serde_json::from_str(text).ok()?);
    }
    let lower = text.get(..text.len().min(4096)).unwrap_or(text).to_ascii_lowercase();
    let says = |text: &str| SAYINGS.iter().find(|(word, _)| text.contains(word)).map(|(_, meaning)| *meaning);
    if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        // A page may be a report of someone's; an error says so in its title.
        let title = lower.split_once("<title>")?.1.split_once("</title>")?.0;
        let meaning = says(title).or_else(|| status(title).map(|_| "an error"))?;
        return Some(sentence("a page of HTML", meaning, status(title)));
    }
    if lower.starts_with("<?xml") && lower.contains("<error>") && lower.contains("<code>") {
        return Some(sentence("an error in XML", says(&lower).unwrap_or("an error"), None));
    }
    // `gh: Not Found (HTTP 404)`, `HTTP 410: Gone`, `failed to get run log: log not found`.
    let is_short = text.lines().count() <= 3;
    let by_cli =
        lower.starts_with("gh: ") || lower.starts_with("http ") || lower.starts_with("failed to get ");
    if is_short && by_cli {
        return Some(sentence("a message of the command line", says(&lower)?, status(&lower)));
    }
    None
}

/// The error a value is: `message` beside a status or the address of the documentation.
pub(crate) fn error_of_value(value: &Value) -> Option<String> {
    let members = value.as_object()?;
    let message = members.get("message")?.as_str()?.to_ascii_lowercase();
    let number = members.get("status").and_then(|status| match status {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    });
    let is_documented = members.get("documentation_url").is_some_and(Value::is_string);
    let is_error = is_documented || number.is_some_and(|number| (400..600).contains(&number));
    if !is_error || members.len() > 6 || members.contains_key("id") {
        return None;
    }
    let meaning =
        SAYINGS.iter().find(|(word, _)| message.contains(word)).map_or("an error", |(_, meaning)| *meaning);
    Some(sentence("an error of the API", meaning, number))
}

/// The first number of a text that is the status of an error.
fn status(text: &str) -> Option<u64> {
    text.split(|letter: char| !letter.is_ascii_digit())
        .filter(|word| word.len() == 3)
        .filter_map(|word| word.parse().ok())
        .find(|number| (400..600).contains(number))
}

fn sentence(what: &str, meaning: &str, status: Option<u64>) -> String {
    let status = status.map(|status| format!(", status {status}")).unwrap_or_default();
    format!("{what} was saved instead of the answer: {meaning}{status}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_in_every_form() {
        for (text, part) in [
            (
                r#"{"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"}"#,
                "not found, status 404",
            ),
            (r#"{"message": "API rate limit exceeded for 1.2.3.4", "documentation_url": "x"}"#, "rate limit"),
            (
                "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>AuthenticationFailed</Code><Message>x</Message></Error>",
                "no longer valid",
            ),
            (
                "<!DOCTYPE html>\n<html><head><title>Unicorn! &middot; GitHub</title></head></html>",
                "server error",
            ),
            ("<html><head><title>502 Bad Gateway</title></head></html>", "status 502"),
            ("gh: Not Found (HTTP 404)\n", "status 404"),
            ("HTTP 410: Gone (https://api.github.com/repos/a/b/actions/runs/1/logs)\n", "gone, status 410"),
        ] {
            let reason = api_error(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
            assert!(reason.contains(part), "{reason}");
        }
    }

    #[test]
    fn what_only_looks_like_an_error_is_none() {
        for text in [
            r#"{"message": "Ship it", "status": "completed"}"#,
            r#"{"message": "x", "documentation_url": "x", "id": 7}"#,
            r#"{"message": {"a": 1}, "status": "404"}"#,
            "<html><head><title>Coverage report</title></head></html>",
            "Not Found\n",
            "HTTP server started\n",
            "",
        ] {
            assert_eq!(api_error(text.as_bytes()), None, "{text}");
        }
    }
}
