//! IAM wildcards: `*` any run of characters, `?` one character.

/// Whether the whole of `text` matches, as IAM's StringLike reads a pattern. Letter case
/// counts. Greedy with one point of return: linear in practice, quadratic at worst.
pub fn matches_wildcards(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                back = Some((p, t));
                p += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted == byte => {
                p += 1;
                t += 1;
            }
            _ => match &mut back {
                Some((star, from)) => {
                    *from += 1;
                    (p, t) = (*star + 1, *from);
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

/// How a resource pattern relates to one resource: surely, perhaps (variables) or not.
pub(crate) fn covers(pattern: &str, resource: &str) -> crate::Decision {
    use crate::Decision;
    if let Some(variable) = pattern.find("${") {
        let fixed = pattern.get(..variable).unwrap_or("");
        let is_possible = fixed.contains(['*', '?']) || resource.starts_with(fixed);
        return if is_possible { Decision::May } else { Decision::No };
    }
    if matches_wildcards(pattern, resource) { Decision::Yes } else { Decision::No }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Decision;
    use proptest::prelude::*;

    #[test]
    fn wildcards_match_like_iam() {
        let yes = [
            ("*", ""),
            ("a*c", "abbc"),
            ("a?c", "abc"),
            ("a*b*c", "axxbyyc"),
            ("arn:aws:s3:::b/*", "arn:aws:s3:::b/k/l"),
        ];
        let no = [("a?c", "ac"), ("a*c", "ab"), ("", "a"), ("a", "A")];
        assert!(yes.iter().all(|(pattern, text)| matches_wildcards(pattern, text)));
        assert!(no.iter().all(|(pattern, text)| !matches_wildcards(pattern, text)));
        assert_eq!(covers("arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/x/y"), Decision::May);
        assert_eq!(covers("arn:aws:s3:::b/${aws:username}", "arn:aws:s3:::c/x"), Decision::No);
    }

    #[test]
    fn wildcards_backtrack() {
        assert!(matches_wildcards("repo:o/r:*", "repo:o/r:ref:refs/heads/main"));
        assert!(matches_wildcards("repo:o/*:ref:*/main", "repo:o/r:ref:refs/heads/main"));
        assert!(!matches_wildcards("repo:o/r:environment:prod", "repo:o/r:environment:production"));
        assert!(
            matches_wildcards("repo:o/?:*", "repo:o/r:x") && !matches_wildcards("repo:o/?:*", "repo:o/rr:x")
        );
    }

    fn by_recursion(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, rest) => rest.is_none(),
            (Some((b'*', rest)), _) => (0..=text.len()).any(|skip| by_recursion(rest, &text[skip..])),
            (Some((b'?', rest)), Some((_, tail))) => by_recursion(rest, tail),
            (Some((first, rest)), Some((head, tail))) => first == head && by_recursion(rest, tail),
            (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn equals_the_definition(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            prop_assert_eq!(matches_wildcards(&pattern, &text), by_recursion(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
