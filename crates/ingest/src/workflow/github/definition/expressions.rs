//! `${{ … }}` in workflow files: which secrets are read, and whose text reaches a script.

use super::inputs::Inputs;
use serde_json::Value;
use std::collections::BTreeSet;

/// All texts of values.
pub(super) fn all_texts<'v>(values: impl IntoIterator<Item = &'v Value>) -> Vec<&'v str> {
    fn walk<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
        match value {
            Value::String(text) => found.push(text),
            Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
            Value::Object(members) => members.values().for_each(|member| walk(member, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    values.into_iter().for_each(|value| walk(value, &mut found));
    found
}

/// The expressions of a text, without `${{` and `}}`.
fn expressions(text: &str) -> impl Iterator<Item = &str> {
    text.split("${{").skip(1).filter_map(|rest| Some(rest.split_once("}}")?.0.trim()))
}

/// The references of an expression, as `a.b.c`: `a['b'].c` and `a[0].b` are `a.b.c` and `a.0.b`.
/// Texts between quotes are no references.
fn references(expression: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut current = String::new();
    let mut letters = expression.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' => {
                let quoted: String = letters.by_ref().take_while(|inner| *inner != '\'').collect();
                if current.ends_with('.') && letters.next_if_eq(&']').is_some() {
                    current.push_str(&quoted);
                }
            }
            '[' if !current.is_empty() => {
                current.push('.');
                if letters.peek().is_some_and(|next| *next != '\'' && *next != '*' && !next.is_ascii_digit())
                {
                    // Which member, another reference decides.
                    current.push('*');
                    found.push(std::mem::take(&mut current));
                }
            }
            ']' if !current.is_empty() => {}
            _ if letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.' | '*') => {
                current.push(letter)
            }
            _ => found.push(std::mem::take(&mut current)),
        }
    }
    found.push(current);
    found.retain(|reference| reference.contains('.') || reference == "secrets");
    found
}

/// Secrets that texts refer to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Secrets {
    pub(super) names: BTreeSet<String>,
    /// Whether all are read at once.
    pub(super) all: bool,
}

/// Names behind `secrets.`; `toJSON(secrets)` and the like read all.
pub(super) fn secret_names(texts: &[&str]) -> Secrets {
    let mut secrets = Secrets::default();
    for reference in texts.iter().flat_map(|text| expressions(text)).flat_map(references) {
        match reference.split_once('.') {
            // `secrets[matrix.name]` is `secrets.*`: which one, no file says.
            None | Some(("secrets", "*")) => secrets.all = true,
            Some(("secrets", name)) if !name.is_empty() => {
                secrets.names.insert(name.to_owned());
            }
            _ => {}
        }
    }
    secrets
}

/// Expressions in scripts, which are pasted before the shell reads them.
#[derive(Clone, Debug, Default)]
pub(super) struct Sinks {
    pub(super) untrusted: Vec<String>,
    pub(super) inputs: Vec<String>,
}

impl Sinks {
    pub(super) fn add(&mut self, place: &str, script: &str, inputs: &Inputs) {
        for reference in expressions(script).flat_map(references) {
            let list = match source(&reference) {
                Source::Outsider => &mut self.untrusted,
                Source::Input(name) if inputs.is_free(name) => &mut self.inputs,
                _ => continue,
            };
            let row = format!("{place}: {reference}");
            if !list.contains(&row) {
                list.push(row);
            }
        }
    }
}

/// Who writes the text behind a reference.
enum Source<'r> {
    Outsider,
    /// Whoever dispatches or calls: the input's name.
    Input(&'r str),
    Other,
}

/// Last parts of contexts that hold free text (GitHub documentation, "Script injections";
/// `head_branch` and `display_title` are those of `workflow_run`).
const FREE_TEXT: [&str; 12] = [
    "body",
    "default_branch",
    "email",
    "head_ref",
    "label",
    "message",
    "name",
    "page_name",
    "ref",
    "title",
    "head_branch",
    "display_title",
];

fn source(reference: &str) -> Source<'_> {
    if let Some(name) =
        reference.strip_prefix("inputs.").or_else(|| reference.strip_prefix("github.event.inputs."))
    {
        return Source::Input(name);
    }
    if let Some(name) = reference.strip_prefix("github.event.client_payload.") {
        return Source::Input(name);
    }
    if reference == "github.head_ref" {
        return Source::Outsider;
    }
    let Some(of_event) = reference.strip_prefix("github.event.") else { return Source::Other };
    // Named by members of the repository, not by outsiders.
    let is_own = ["repository.", "organization.", "enterprise.", "release.", "workflow.", "environment."]
        .iter()
        .any(|own| of_event.starts_with(own))
        // The file that waits for a workflow names it.
        || of_event == "workflow_run.name"
        // The base of a pull request is a branch of the repository itself.
        || of_event.starts_with("pull_request.base.");
    let last = of_event.rsplit('.').next().unwrap_or(of_event);
    if !is_own && FREE_TEXT.contains(&last) { Source::Outsider } else { Source::Other }
}

/// Whether a `ref` or `repository` of a checkout is that of an outsider's change.
pub(super) fn is_outsiders_code(text: &str) -> bool {
    let of_head = ["github.event.pull_request.head.", "github.event.workflow_run.head_", "refs/pull/"];
    of_head.iter().any(|head| text.contains(head)) || text.contains("github.head_ref")
}

/// The command by which a script fetches an outsider's change.
pub(super) fn fetches_outsiders_code(script: &str) -> Option<&str> {
    script.lines().map(str::trim).find(|line| {
        line.contains("gh pr checkout")
            || line.contains("git ")
                && ["refs/pull/", "pull/"].iter().any(|head| line.contains(head))
                && line.contains("fetch")
            || line.contains("git ") && line.contains("checkout") && is_outsiders_code(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_in_all_spellings() {
        let text = "format('x.y {0}', github.event['issue'].title) || github.event.commits[0].message";
        assert_eq!(references(text), ["github.event.issue.title", "github.event.commits.0.message"]);
        assert_eq!(references("toJSON(secrets)"), ["secrets"]);
        assert_eq!(references("github.event.commits.*.message"), ["github.event.commits.*.message"]);
    }

    #[test]
    fn secrets_are_named_or_all() {
        let named = secret_names(&["a ${{ secrets.A }} ${{ secrets['B'] || 'secrets.C' }} secrets.D"]);
        assert_eq!(
            (named.names.into_iter().collect::<Vec<_>>(), named.all),
            (vec!["A".into(), "B".into()], false)
        );
        assert!(secret_names(&["${{ toJSON(secrets) }}"]).all);
        assert!(secret_names(&["${{ secrets[matrix.env] }}"]).all);
    }

    #[test]
    fn outsiders_write_titles_and_branches_but_not_names_of_the_repository() {
        let is_outsiders = |reference: &str| matches!(source(reference), Source::Outsider);
        for reference in [
            "github.event.issue.title",
            "github.head_ref",
            "github.event.pull_request.head.ref",
            "github.event.commits.0.author.email",
            "github.event.workflow_run.head_branch",
            "github.event.pages.*.page_name",
        ] {
            assert!(is_outsiders(reference), "{reference}");
        }
        for reference in [
            "github.event.repository.name",
            "github.event.number",
            "github.event.pull_request.base.ref",
            "github.event.workflow_run.conclusion",
            "github.event.workflow_run.name",
            "github.event.release.name",
            "github.sha",
            "env.TITLE",
        ] {
            assert!(!is_outsiders(reference), "{reference}");
        }
    }
}
