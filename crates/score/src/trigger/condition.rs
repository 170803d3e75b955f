//! What an `if:` decides.

/// What is known of a job's condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) text: String,
    /// Whether only the workflow's file tells of it.
    pub(super) declared: bool,
}

/// How much a condition decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sense {
    /// What holds without an `if:`, too.
    Default,
    /// True whatever happens.
    AlwaysTrue,
    /// Asks for something.
    Asks,
    /// Asks who it is or whose code it is.
    AsksWho,
}

impl Condition {
    /// `success()` is what a job without `if:` has; the server writes it before every other
    /// condition that names no status function (GitHub, "Expressions: status check functions").
    pub(super) fn sense(&self) -> Sense {
        let whole = self.text.trim();
        // Text around `${{ }}` makes it a string, and every string but the empty one is true
        // (zizmor, "unsound-condition").
        let inside = whole.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}"));
        if inside.is_none() && whole.contains("${{") {
            return Sense::AlwaysTrue;
        }
        let plain: String =
            inside.unwrap_or(whole).chars().filter(|letter| !letter.is_whitespace()).collect();
        let plain = plain.to_lowercase();
        let mut rest = bare(&plain);
        if let Some(other) = rest.strip_prefix("success()&&") {
            rest = bare(other);
        }
        const WHO: [&str; 9] = [
            "author_association",
            "github.actor",
            "github.triggering_actor",
            "sender.login",
            "sender.type",
            "user.login",
            "head.repo.full_name",
            "head_repository.full_name",
            "head.repo.fork",
        ];
        match rest {
            "" | "success()" => Sense::Default,
            "true" | "always()" | "!cancelled()" | "success()||failure()" | "always()&&true" => {
                Sense::AlwaysTrue
            }
            _ if WHO.iter().any(|who| rest.contains(who)) => Sense::AsksWho,
            _ => Sense::Asks,
        }
    }
}

/// Without the brackets around the whole.
fn bare(text: &str) -> &str {
    let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else { return text };
    let mut depth = 0_i32;
    let closes_early = inner.chars().any(|letter| {
        depth += match letter {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        depth < 0
    });
    if closes_early { text } else { bare(inner) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_told_apart() {
        for (text, sense) in [
            ("success()", Sense::Default),
            ("(success())", Sense::Default),
            ("always()", Sense::AlwaysTrue),
            ("${{ always() }}", Sense::AlwaysTrue),
            ("${{ github.actor == 'x' }} ", Sense::AsksWho),
            ("${{ github.actor == 'x' }} && true", Sense::AlwaysTrue),
            ("(success() && (github.ref == 'refs/heads/main'))", Sense::Asks),
            ("(success() && (a)) || (b)", Sense::Asks),
            ("(a) || (b)", Sense::Asks),
            ("contains('OWNER MEMBER', github.event.comment.author_association)", Sense::AsksWho),
            ("github.event.pull_request.head.repo.full_name == github.repository", Sense::AsksWho),
        ] {
            assert_eq!(Condition { text: text.to_owned(), declared: false }.sense(), sense, "{text}");
        }
    }
}
