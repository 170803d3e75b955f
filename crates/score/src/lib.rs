//! leakgraph-score
