//! Importers on real files, hostile files and random bytes.
//!
//! Tests on real files need `LEAKGRAPH_CORPUS`; what they expect is counted from the
//! raw bytes by means that share nothing with the importers.

mod airflow;
mod argo;
mod azure_devops;
mod buildkite;
mod circleci;
mod corpus_all;
mod corpus_counts;
mod corpus_identities;
mod corpus_kubernetes;
mod corpus_table;
mod corpus_workflows;
mod damaged;
mod federation;
mod generic;
mod generic_identities;
mod github_audit;
mod github_definitions;
mod github_edges;
mod github_rest;
mod gitlab;
mod gitlab_traces;
mod hosted_random;
mod hostile_archives;
mod hostile_texts;
mod identity_platforms;
mod jenkins;
mod kubernetes;
mod layouts;
mod n8n;
mod opengraph;
mod orchestrators;
mod otel;
mod pod_logs;
mod random;
mod step_functions;
mod support;
mod tekton;
mod temporal;
mod texts;
mod trailscraper;
mod travis;
