//! What a scan reports.
use crate::allow::Suppressed;
use crate::known::KnownName;
use crate::mask::MaskSimulations;
use leakgraph_model::{Severity, Timestamp};

/// How sure the scanner is, least first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Confidence {
    /// Generic shape only, or a failed check.
    Possible,
    /// A provider's published shape.
    Likely,
    /// The shape and its offline check.
    VerifiedStructure,
}
impl Confidence {
    /// The name used in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::VerifiedStructure => "verified-structure",
        }
    }
}
/// Which offline check passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verification {
    /// None.
    Unverified,
    /// The inner structure parses.
    StructureValid,
    /// A checksum fits.
    ChecksumValid,
}
impl Verification {
    /// The name used in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unverified => "unverified",
            Self::StructureValid => "structure_valid",
            Self::ChecksumValid => "checksum_valid",
        }
    }
}
/// The identity a secret names by itself.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The method, such as `aws_access_key`.
    pub by: String,
    /// The platform of the identity.
    pub platform: String,
    /// The platform's own id, if the secret holds it.
    pub native_id: Option<String>,
    /// What is known of the subject.
    pub subject: String,
}
/// A part of the input that was not fully searched.
#[derive(Clone, Debug)]
pub struct Gap {
    /// Byte offset in the input.
    pub offset: usize,
    /// Why: `budget`, `long_line`.
    pub reason: &'static str,
}
/// One secret seen, without its value.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// Rule id.
    pub rule: String,
    /// Provider name.
    pub provider: String,
    /// Secret kind.
    pub kind: String,
    /// Byte offset in the input.
    pub offset: usize,
    /// Bytes covered in the input.
    pub len: usize,
    /// 1-based line.
    pub line: usize,
    /// Bytes of the decoded value.
    pub value_bytes: usize,
    /// Keyed fingerprint, 32 hex digits.
    pub fingerprint: String,
    /// At most a fixed prefix and the last four bytes.
    pub preview: String,
    /// How sure.
    pub confidence: Confidence,
    /// Which check passed.
    pub verification: Verification,
    /// `ephemeral`, `hours` or `long`.
    pub lifetime: String,
    /// How bad.
    pub severity: Severity,
    /// Encodings around the value, outermost first.
    pub encodings: Vec<String>,
    /// What the platforms' maskers would have done here, had the value been registered.
    pub masks: MaskSimulations,
    /// The variable the value was assigned to.
    pub name: Option<String>,
    /// The identity it names.
    pub resolved: Option<Resolved>,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// Where it is kept, if it is a known secret.
    pub known: Vec<KnownName>,
}
/// The result of one scan, sorted by offset.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// Secrets seen.
    pub sightings: Vec<Sighting>,
    /// Secrets seen that an exception covers; not among the others.
    pub suppressed: Vec<Suppressed>,
    /// Parts not searched.
    pub gaps: Vec<Gap>,
}

impl Scan {
    /// Offsets in a text of `width` bytes per character that begins at `from`.
    pub(crate) fn widen(&mut self, from: usize, width: usize) {
        let suppressed = self.suppressed.iter_mut().map(|suppressed| &mut suppressed.sighting);
        for seen in self.sightings.iter_mut().chain(suppressed) {
            seen.offset = from + seen.offset * width;
            seen.len *= width;
        }
        for gap in &mut self.gaps {
            gap.offset = from + gap.offset * width;
        }
    }
}
