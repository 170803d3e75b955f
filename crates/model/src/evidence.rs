//! All evidence tables together: what an importer returns.

use crate::table::{Row, TableDoc};
use crate::tables::*;
use arrow_array::RecordBatch;
use arrow_schema::ArrowError;

macro_rules! evidence {
    ($( $field:ident: $row:ty, )+) => {
        /// Rows of every evidence table; importers fill what they know.
        ///
        /// A bad file never fails an import: it adds a row to `problems`.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Evidence {
            $( #[doc = concat!("Rows of `", stringify!($field), "`.")] pub $field: Vec<$row>, )+
        }

        impl Evidence {
            /// Documentation and schema of every evidence table.
            pub const TABLES: &'static [TableDoc] = &[$( <$row as Row>::TABLE, )+];

            /// Moves the rows of `other` to the end of these.
            pub fn append(&mut self, mut other: Self) {
                $( match self.$field.is_empty() {
                    // Moved as they are: a copy of many rows would be there twice for a while.
                    true => self.$field = other.$field,
                    false => self.$field.append(&mut other.$field),
                } )+
            }

            /// Number of rows in all tables.
            pub fn rows(&self) -> usize {
                0 $( + self.$field.len() )+
            }

            /// Hands every text of every row to `visit`, which may change it.
            pub fn for_each_text(&mut self, visit: &mut dyn FnMut(&mut String)) {
                $( self.$field.iter_mut().for_each(|row| row.for_each_text(visit)); )+
            }

            /// One batch per table that has rows.
            ///
            /// # Errors
            /// Only if a table declaration is inconsistent.
            pub fn to_batches(&self) -> Result<Vec<(&'static str, RecordBatch)>, ArrowError> {
                let mut batches = Vec::new();
                $( if !self.$field.is_empty() {
                    batches.push((<$row as Row>::TABLE.name, <$row as Row>::to_batch(&self.$field)?));
                } )+
                Ok(batches)
            }

            /// Adds the rows of a batch of the table called `table`; unknown tables are ignored.
            ///
            /// # Errors
            /// The batch does not have the table's columns.
            pub fn extend_from_batch(&mut self, table: &str, batch: &RecordBatch) -> Result<(), ArrowError> {
                $( if table == <$row as Row>::TABLE.name {
                    self.$field.extend(<$row as Row>::from_batch(batch)?);
                } )+
                Ok(())
            }
        }
    };
}

evidence! {
    source_files: SourceFile,
    problems: Problem,
    runs: Run,
    jobs: Job,
    steps: Step,
    bindings: Binding,
    token_permissions: TokenPermission,
    secrets_passed: SecretPassed,
    handoffs: Handoff,
    handoff_inputs: HandoffInput,
    triggers: Trigger,
    approvals: Approval,
    workflow_definitions: WorkflowDefinition,
    identities_used: IdentityUsed,
    identities: Identity,
    credentials: Credential,
    grants: Grant,
    trusts: Trust,
    activity: Activity,
    assumptions: Assumption,
    evidence_gaps: EvidenceGap,
    secrets: Secret,
    secret_sightings: SecretSighting,
    mask_anomalies: MaskAnomaly,
}
