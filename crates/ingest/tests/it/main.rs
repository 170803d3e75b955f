//! Importers on real files, hostile files and random bytes.
//!
//! Tests on real files need `LEAKGRAPH_CORPUS`; what they expect is counted from the
//! raw bytes by means that share nothing with the importers.

mod corpus_all;
mod corpus_identities;
mod corpus_workflows;
mod federation;
mod generic;
mod hostile_archives;
mod hostile_texts;
mod layouts;
mod otel;
mod random;
mod support;
