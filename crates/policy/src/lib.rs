//! leakgraph-policy
