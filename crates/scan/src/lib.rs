//! leakgraph-scan
