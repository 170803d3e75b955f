//! The `leakgraph` command.
fn main() {}
