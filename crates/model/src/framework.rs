//! Finding kinds and framework catalogs.
