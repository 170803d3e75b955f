//! Importers on real files, hostile files and random bytes.
//!
//! Tests on real files need `LEAKGRAPH_CORPUS`; what they expect is counted from the
//! raw bytes by means that share nothing with the importers.

mod airflow;
mod argo;
mod corpus_all;
mod corpus_identities;
mod corpus_workflows;
mod hostile_archives;
mod hostile_texts;
mod layouts;
mod n8n;
mod orchestrators;
mod random;
mod step_functions;
mod support;
mod tekton;
mod temporal;
