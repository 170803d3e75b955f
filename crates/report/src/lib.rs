//! leakgraph-report
