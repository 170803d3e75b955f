//! Permissions of GitHub's tokens: `contents:write` of Apps, fine-grained tokens and jobs,
//! scopes of classic tokens (`repo`, `admin:org`).

use crate::Decision;
use crate::pattern::matches_wildcards;

pub(crate) const PLATFORM: &str = "github";

/// What the scope `repo` gives besides itself (GitHub Docs, "Scopes for OAuth apps"); `workflow`
/// alone lets a token change workflow files.
const REPO: [&str; 12] = [
    "administration",
    "checks",
    "contents",
    "deployments",
    "environments",
    "issues",
    "metadata",
    "pages",
    "pull_requests",
    "repository_hooks",
    "secrets",
    "statuses",
];

/// Whether who holds `held` thereby holds `asked`, both lower-case: admin is more than write and
/// write more than read, in jobs a hyphen is an underscore.
pub(crate) fn includes(held: &str, asked: &str) -> bool {
    let (held, asked) = (held.replace('-', "_"), asked.replace('-', "_"));
    if held == asked {
        return true;
    }
    if held == "repo" {
        return asked.starts_with("repo:")
            || asked == "public_repo"
            || asked.split_once(':').is_some_and(|(name, _)| REPO.contains(&name));
    }
    match (parts(&held), parts(&asked)) {
        (Some((name, level)), Some((other, least))) => name == other && level >= least,
        _ => false,
    }
}

/// Name and rank of `contents:write` or `write:org`.
fn parts(permission: &str) -> Option<(&str, u8)> {
    let (one, other) = permission.split_once(':')?;
    let rank = |word: &str| match word {
        "read" => Some(1),
        "write" => Some(2),
        "admin" => Some(3),
        _ => None,
    };
    rank(other).map(|rank| (one, rank)).or_else(|| rank(one).map(|rank| (other, rank)))
}

/// `repo:o/selected` is some of the repositories of o: which, the inventory does not say.
pub(crate) fn covers(pattern: &str, resource: &str) -> Decision {
    if let Some(owner) = pattern.strip_suffix("/selected") {
        let is_of_owner = resource.strip_prefix(owner).is_some_and(|rest| rest.starts_with('/'));
        return if is_of_owner { Decision::May } else { Decision::No };
    }
    // Names of owners and repositories have no case.
    let matches = matches_wildcards(&pattern.to_ascii_lowercase(), &resource.to_ascii_lowercase());
    if matches { Decision::Yes } else { Decision::No }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_includes_less() {
        let yes = [
            ("contents:write", "contents:read"),
            ("pull-requests:write", "pull_requests:read"),
            ("admin:org", "read:org"),
            ("organization_projects:admin", "organization_projects:write"),
            ("repo", "contents:write"),
            ("repo", "repo:status"),
        ];
        let no = [
            ("contents:read", "contents:write"),
            ("contents:write", "issues:read"),
            ("read:org", "write:org"),
            ("repo", "workflows:write"),
            ("workflow", "contents:read"),
        ];
        assert!(yes.iter().all(|(held, asked)| includes(held, asked)));
        assert!(no.iter().all(|(held, asked)| !includes(held, asked)));
    }

    #[test]
    fn selected_repositories_are_not_known() {
        assert_eq!(covers("repo:acme/selected", "repo:acme/shop"), Decision::May);
        assert_eq!(covers("repo:acme/selected", "repo:other/shop"), Decision::No);
        assert_eq!(covers("repo:Acme/*", "repo:acme/shop"), Decision::Yes);
    }
}
