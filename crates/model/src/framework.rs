//! Finding kinds and the framework controls they map to.
//!
//! The data lies in `datasets/frameworks` and is embedded. [`Frameworks::load`]
//! refuses a mapping to an id that does not exist or was withdrawn. Ids are always
//! written with framework and version (`nist-csf-2.0:PR.AA-05`).

use crate::Severity;
use crate::table::Row;
use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use std::collections::BTreeMap;

const CONTROLS: &str = include_str!("../../../datasets/frameworks/controls.tsv");
const CROSSWALK: &str = include_str!("../../../datasets/frameworks/crosswalk.tsv");
const KINDS: &str = include_str!("../../../datasets/frameworks/finding-kinds.json");

/// The framework data or a reference into it is wrong.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FrameworkError {
    /// The data cannot be parsed.
    #[error("the framework data is malformed: {0}")]
    Malformed(String),
    /// A finding kind maps to a control that does not exist.
    #[error("finding kind {kind} maps to {control}, which {framework} does not have")]
    Unknown {
        /// The finding kind.
        kind: String,
        /// The framework.
        framework: String,
        /// The id.
        control: String,
    },
    /// A finding kind maps to a control that was withdrawn.
    #[error("finding kind {kind} maps to {control}, which was withdrawn from {framework}")]
    Withdrawn {
        /// The finding kind.
        kind: String,
        /// The framework.
        framework: String,
        /// The id.
        control: String,
    },
    /// A label is no control and no known alias of one.
    #[error("{framework} has no {label}, and no alias of that name is known")]
    NoAlias {
        /// The framework as named.
        framework: String,
        /// The label as given.
        label: String,
    },
}

/// One control, category or weakness of a framework.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// Framework with version, as `nist-csf-2.0`.
    pub framework: String,
    /// Id inside the framework, as `PR.AA-05`.
    pub id: String,
    /// Title; empty where only the id is known.
    pub title: String,
    /// active, withdrawn or superseded (CSF 1.1 as a whole).
    pub status: String,
}

impl Control {
    /// `framework:id`.
    pub fn qualified(&self) -> String {
        format!("{}:{}", self.framework, self.id)
    }
}

/// A kind of finding.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindingKind {
    /// Stable id, as `secret-in-log`.
    pub id: String,
    /// One line.
    pub title: String,
    /// Default severity.
    pub severity: Severity,
    /// Why it maps where it does.
    pub rationale: String,
    /// Qualified ids of the controls it bears on.
    pub controls: Vec<String>,
    /// Why no audit looks for it, and what evidence it would take; `None` if one does.
    #[serde(default)]
    pub not_assessed: Option<String>,
}

/// What an alias stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Qualified ids.
    pub controls: Vec<String>,
    /// What was changed, to be printed; `None` if the label was official.
    pub note: Option<String>,
}

/// Catalogs and finding kinds, checked.
#[derive(Clone, Debug)]
pub struct Frameworks {
    controls: BTreeMap<String, Control>,
    crosswalk: Vec<(String, String)>,
    kinds: Vec<FindingKind>,
}

impl Frameworks {
    /// Loads and checks the embedded data.
    ///
    /// # Errors
    /// The data is malformed, or a kind maps to an unknown or withdrawn control.
    pub fn load() -> Result<Self, FrameworkError> {
        Self::parse(CONTROLS, CROSSWALK, KINDS)
    }

    fn parse(controls: &str, crosswalk: &str, kinds: &str) -> Result<Self, FrameworkError> {
        let mut frameworks = Self { controls: BTreeMap::new(), crosswalk: Vec::new(), kinds: Vec::new() };
        for (number, line) in controls.lines().enumerate() {
            let mut fields = line.split('\t').map(str::to_owned);
            let (Some(framework), Some(id), Some(title), Some(status), None) =
                (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
            else {
                return Err(FrameworkError::Malformed(format!("controls, line {}", number + 1)));
            };
            let control = Control { framework, id, title, status };
            frameworks.controls.insert(control.qualified(), control);
        }
        let pairs = crosswalk.lines().filter_map(|line| line.split_once('\t'));
        frameworks.crosswalk = pairs.map(|(old, new)| (old.to_owned(), new.to_owned())).collect();
        let kinds: Vec<FindingKind> = serde_json::from_str(kinds)
            .map_err(|error| FrameworkError::Malformed(format!("finding kinds: {error}")))?;
        for kind in &kinds {
            frameworks.check(kind)?;
        }
        frameworks.kinds = kinds;
        Ok(frameworks)
    }

    fn check(&self, kind: &FindingKind) -> Result<(), FrameworkError> {
        for qualified in &kind.controls {
            let (framework, control) = qualified.split_once(':').unwrap_or(("", qualified));
            let names = || (kind.id.clone(), framework.to_owned(), control.to_owned());
            match self.controls.get(qualified).map(|control| control.status.as_str()) {
                Some("withdrawn") => {
                    let (kind, framework, control) = names();
                    return Err(FrameworkError::Withdrawn { kind, framework, control });
                }
                Some(_) => {}
                None => {
                    let (kind, framework, control) = names();
                    return Err(FrameworkError::Unknown { kind, framework, control });
                }
            }
        }
        Ok(())
    }

    /// All finding kinds.
    pub fn kinds(&self) -> &[FindingKind] {
        &self.kinds
    }

    /// The kind with this id.
    pub fn kind(&self, id: &str) -> Option<&FindingKind> {
        self.kinds.iter().find(|kind| kind.id == id)
    }

    /// The control with this qualified id (`nist-csf-2.0:PR.AA-05`).
    pub fn control(&self, qualified: &str) -> Option<&Control> {
        self.controls.get(qualified)
    }

    /// What a label found in the literature stands for, official or not.
    ///
    /// Seed documents cite ids that do not exist or belong elsewhere: `NIST CSF 2.0
    /// PR.AC-4` (CSF 1.1), `SP 800-207 AC-6` (an SP 800-53 control), `AGENT-04`,
    /// `NHI-02`.
    ///
    /// # Errors
    /// The label is neither official nor a known alias.
    pub fn resolve_alias(&self, framework: &str, label: &str) -> Result<Resolved, FrameworkError> {
        let folded = framework.to_ascii_lowercase();
        let label_upper = label.trim().to_ascii_uppercase();
        let official = |qualified: String| {
            self.controls.get(&qualified).filter(|control| control.status == "active").map(|_| qualified)
        };
        let renamed = |controls: Vec<String>, why: &str| {
            let note = format!("{framework} {label} is {why}: read as {}", controls.join(" + "));
            Ok(Resolved { controls, note: Some(note) })
        };
        if folded.contains("csf") {
            if let Some(qualified) = official(format!("nist-csf-2.0:{label_upper}")) {
                return Ok(Resolved { controls: vec![qualified], note: None });
            }
            let new: Vec<String> = self
                .crosswalk
                .iter()
                .filter(|(old, _)| *old == label_upper)
                .filter_map(|(_, new)| official(format!("nist-csf-2.0:{new}")))
                .collect();
            if !new.is_empty() {
                return renamed(new, "an id of CSF 1.1");
            }
        } else if folded.contains("800-207") && label_upper == "AC-6" {
            let controls = ["nist-sp800-53r5:ac-6", "nist-sp800-207:tenet-3", "nist-sp800-207:tenet-6"]
                .map(str::to_owned);
            return renamed(controls.to_vec(), "a control of SP 800-53, not of SP 800-207");
        } else if folded.contains("agent") && label_upper == "AGENT-04" {
            let controls = ["owasp-asi-2026:ASI02", "owasp-asi-2026:ASI03"].map(str::to_owned);
            return renamed(controls.to_vec(), "no official id");
        } else if folded.contains("non-human") || folded.contains("nhi") {
            let number = label_upper
                .trim_end_matches(":2025")
                .trim_start_matches("NHI")
                .trim_start_matches('-')
                .trim_start_matches('0');
            if let Some(qualified) = official(format!("owasp-nhi-2025:NHI{number}")) {
                let is_official =
                    label_upper == format!("NHI{number}") || label_upper == format!("NHI{number}:2025");
                return if is_official {
                    Ok(Resolved { controls: vec![qualified], note: None })
                } else {
                    renamed(vec![qualified], "written otherwise")
                };
            }
        }
        Err(FrameworkError::NoAlias { framework: framework.to_owned(), label: label.to_owned() })
    }

    /// The reference table `finding_kinds`.
    ///
    /// # Errors
    /// Only if the table declaration is inconsistent.
    pub fn finding_kinds_batch(&self) -> Result<RecordBatch, ArrowError> {
        let rows: Vec<KindRow> = self
            .kinds
            .iter()
            .map(|kind| KindRow {
                kind: kind.id.clone(),
                title: kind.title.clone(),
                severity: kind.severity.to_string(),
                rationale: kind.rationale.clone(),
            })
            .collect();
        KindRow::to_batch(&rows)
    }

    /// The reference table `controls`.
    ///
    /// # Errors
    /// Only if the table declaration is inconsistent.
    pub fn controls_batch(&self) -> Result<RecordBatch, ArrowError> {
        let rows: Vec<ControlRow> = self
            .controls
            .values()
            .map(|control| ControlRow {
                control: control.qualified(),
                framework: control.framework.clone(),
                title: control.title.clone(),
                status: control.status.clone(),
            })
            .collect();
        ControlRow::to_batch(&rows)
    }

    /// The reference table `mappings`.
    ///
    /// # Errors
    /// Only if the table declaration is inconsistent.
    pub fn mappings_batch(&self) -> Result<RecordBatch, ArrowError> {
        let pairs =
            self.kinds.iter().flat_map(|kind| kind.controls.iter().map(|control| (&kind.id, control)));
        let rows: Vec<MappingRow> = pairs
            .map(|(kind, control)| MappingRow { kind: kind.clone(), control: control.clone() })
            .collect();
        MappingRow::to_batch(&rows)
    }
}

crate::table! {
    /// One row per kind of finding.
    "finding_kinds" KindRow {
        /// Stable id.
        kind: String,
        /// One line.
        title: String,
        /// Default severity.
        severity: String,
        /// Why it maps where it does.
        rationale: String,
    }
}

crate::table! {
    /// One row per control of a framework.
    "controls" ControlRow {
        /// `framework:id`.
        control: String,
        /// Framework with version.
        framework: String,
        /// Title.
        title: String,
        /// active, withdrawn, superseded.
        status: String,
    }
}

crate::table! {
    /// One row per control a kind of finding bears on.
    "mappings" MappingRow {
        /// Finding kind.
        kind: String,
        /// `framework:id`.
        control: String,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_data_is_consistent() {
        let frameworks = Frameworks::load().unwrap();
        assert_eq!(frameworks.kinds().len(), 41);
        let active = frameworks
            .controls
            .values()
            .filter(|control| control.framework == "nist-csf-2.0" && control.status == "active");
        assert_eq!(active.count(), 106);
        assert_eq!(
            frameworks.control("owasp-nhi-2025:NHI2").map(|control| control.title.as_str()),
            Some("Secret Leakage")
        );
    }

    #[test]
    fn unknown_and_withdrawn_ids_are_refused() {
        let controls = "f\tA-1\t\tactive\nf\tA-2\t\twithdrawn\n";
        let kind = |control: &str| {
            format!(r#"[{{"id":"k","title":"t","severity":"low","rationale":"r","controls":["{control}"]}}]"#)
        };
        assert!(Frameworks::parse(controls, "", &kind("f:A-1")).is_ok());
        assert!(matches!(
            Frameworks::parse(controls, "", &kind("f:A-2")),
            Err(FrameworkError::Withdrawn { .. })
        ));
        assert!(matches!(
            Frameworks::parse(controls, "", &kind("f:A-3")),
            Err(FrameworkError::Unknown { .. })
        ));
        assert!(matches!(Frameworks::parse("broken", "", "[]"), Err(FrameworkError::Malformed(_))));
    }

    #[test]
    fn the_labels_of_the_seeds_are_understood() {
        let frameworks = Frameworks::load().unwrap();
        let of = |framework: &str, label: &str| frameworks.resolve_alias(framework, label).unwrap();
        assert_eq!(of("NIST CSF 2.0", "PR.AC-4").controls, ["nist-csf-2.0:PR.AA-05"]);
        assert!(of("NIST CSF 2.0", "PR.AC-4").note.is_some());
        assert_eq!(of("NIST CSF 2.0", "PR.AA-05").note, None);
        assert!(
            of("NIST Zero Trust (SP 800-207)", "AC-6").controls.contains(&"nist-sp800-53r5:ac-6".to_owned())
        );
        assert_eq!(of("OWASP Agentic AI Top 10", "AGENT-04").controls.len(), 2);
        assert_eq!(of("OWASP Non-Human Identity Top 10", "NHI-02").controls, ["owasp-nhi-2025:NHI2"]);
        assert_eq!(of("OWASP Non-Human Identity Top 10", "NHI5:2025").note, None);
        assert!(frameworks.resolve_alias("NIST CSF 2.0", "PR.ZZ-99").is_err());
    }
}
