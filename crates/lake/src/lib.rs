//! leakgraph-lake
