//! What this crate answers, against saved answers of other tools and against laws.
//!
//! The saved answers are read from `$LEAKGRAPH_CORPUS/identities`; without that variable
//! the tests that need them say so and pass.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[macro_use]
mod support;

mod airiam;
mod audit2rbac;
mod cloudsplaining;
mod expansion;
mod gaps;
mod iamspy;
mod kubiscan;
mod laws;
mod least_privilege;
mod parliament;
mod pathfinding;
mod platforms;
mod pmapper;
mod rbac;
mod rbac_police;
mod repokid;
mod trailscraper;
mod trust;
