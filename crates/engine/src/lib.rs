//! leakgraph-engine
