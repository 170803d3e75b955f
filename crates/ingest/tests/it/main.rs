//! Importers on real files, hostile files and random bytes.
//!
//! Tests on real files need `LEAKGRAPH_CORPUS`; what they expect is counted from the
//! raw bytes by means that share nothing with the importers.

mod corpus_all;
mod corpus_identities;
mod corpus_kubernetes;
mod corpus_workflows;
mod hostile_archives;
mod hostile_texts;
mod kubernetes;
mod layouts;
mod random;
mod support;
mod texts;
