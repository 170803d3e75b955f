//! Which organisation and build a document, an address or a file is of.

use super::PLATFORM;
use leakgraph_model::{Key, tables};

/// Organisation (or, on a server, host and collection) and build. Builds are numbered per
/// organisation, so that no project is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) organisation: Option<String>,
    pub(crate) build: Option<String>,
}

impl Location {
    /// Of an address: `https://dev.azure.com/{organisation}/{project}/_apis/build/Builds/{id}`,
    /// `https://{organisation}.visualstudio.com/…` or `https://{server}/{collection}/{project}/…`.
    pub(crate) fn of_url(url: &str) -> Self {
        let Some((_, rest)) = url.split_once("://") else { return Self::default() };
        let parts: Vec<&str> = rest.split(['/', '?', '#']).filter(|part| !part.is_empty()).collect();
        let host = parts.first().copied().unwrap_or("").to_ascii_lowercase();
        let host = host.split('@').next_back().unwrap_or("").split(':').next().unwrap_or("").to_owned();
        let organisation = if host == "dev.azure.com" {
            parts.get(1).map(|name| (*name).to_owned())
        } else if let Some(name) = host.strip_suffix(".visualstudio.com") {
            // `{organisation}.vsrm.visualstudio.com` is a service of the same organisation.
            name.split('.').next().map(str::to_owned)
        } else {
            let end = parts.iter().position(|part| matches!(*part, "_apis" | "_build"));
            let before = end.and_then(|end| parts.get(1..end)).unwrap_or_default();
            // The last one is the project.
            let collection = before.split_last().map_or(&[][..], |(_, collection)| collection);
            (!collection.is_empty()).then(|| format!("{host}/{}", collection.join("/")))
        };
        Self { organisation, build: build_id(&parts) }
    }

    /// Of a file: `{organisation}/{project}/_apis/build/builds/{id}/logs/5`, with or without
    /// `_apis/build`, or `logs_{id}`, the name of a downloaded archive.
    pub(crate) fn of_path(path: &str) -> Self {
        let parts: Vec<&str> = path.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
        let build = build_id(&parts);
        let at =
            parts.iter().position(|part| part.eq_ignore_ascii_case("builds")).filter(|_| build.is_some());
        let before = at.and_then(|at| parts.get(..at)).unwrap_or_default();
        let before = match before {
            [before @ .., apis, build] if *apis == "_apis" && build.eq_ignore_ascii_case("build") => before,
            other => other,
        };
        let organisation = match before {
            [.., organisation, _project] => Some((*organisation).to_owned()),
            _ => None,
        };
        let downloaded = || parts.iter().find_map(|part| downloaded(part));
        Self { organisation, build: build.or_else(downloaded) }
    }

    /// What this does not know, from another.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { organisation: self.organisation.or(other.organisation), build: self.build.or(other.build) }
    }

    /// Key of the build's run; `None` where either part is unknown.
    pub(crate) fn key(&self) -> Option<Key> {
        run_key(self.organisation.as_deref()?, self.build.as_deref()?)
    }
}

/// Key of the run of a build.
pub(crate) fn run_key(organisation: &str, build: &str) -> Option<Key> {
    is_id(build).then(|| tables::run_key(PLATFORM, &organisation.to_lowercase(), build, 1))
}

/// The id after `builds` or after `runs` of `_apis/pipelines/{pipeline}/runs/{id}`, which are
/// the same, or in `buildId=`.
fn build_id(parts: &[&str]) -> Option<String> {
    let by_name = parts.windows(2).find_map(|pair| match pair {
        [name, id] if name.eq_ignore_ascii_case("builds") || *name == "runs" => Some(*id),
        _ => None,
    });
    let by_query =
        || parts.iter().flat_map(|part| part.split('&')).find_map(|pair| pair.strip_prefix("buildId="));
    by_name.or_else(by_query).filter(|id| is_id(id)).map(str::to_owned)
}

/// `logs_123.zip`, or the folder it was unpacked to.
fn downloaded(part: &str) -> Option<String> {
    let id = part.split('.').next()?.rsplit_once("logs_")?.1;
    is_id(id).then(|| id.to_owned())
}

fn is_id(text: &str) -> bool {
    (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(organisation: Option<&str>, build: Option<&str>) -> Location {
        Location { organisation: organisation.map(str::to_owned), build: build.map(str::to_owned) }
    }

    #[test]
    fn addresses_of_all_hosts_name_the_organisation() {
        let cases = [
            ("https://dev.azure.com/acme/p1/_apis/build/Builds/77", Some("acme"), Some("77")),
            (
                "https://acme.visualstudio.com/p1/_build/results?buildId=77&view=results",
                Some("acme"),
                Some("77"),
            ),
            ("https://tfs.corp:8080/tfs/Main/p1/_apis/build/builds/7", Some("tfs.corp/tfs/Main"), Some("7")),
            ("https://dev.azure.com/acme/p1/_apis/pipelines/5/runs/77", Some("acme"), Some("77")),
            ("not an address", None, None),
        ];
        for (url, organisation, build) in cases {
            assert_eq!(Location::of_url(url), location(organisation, build), "{url}");
        }
    }

    #[test]
    fn paths_name_the_build() {
        let cases = [
            ("in/acme/p1/_apis/build/builds/77/logs/5", Some("acme"), Some("77")),
            ("acme/p1/builds/77/timeline.json", Some("acme"), Some("77")),
            ("downloads/logs_77.zip", None, Some("77")),
            ("logs_77/Job/1_Initialize job.txt", None, Some("77")),
            ("Failing run_logs_108/x.txt", None, Some("108")),
            ("notes/logs.txt", None, None),
        ];
        for (path, organisation, build) in cases {
            assert_eq!(Location::of_path(path), location(organisation, build), "{path}");
        }
    }
}
