//! leakgraph-ingest
