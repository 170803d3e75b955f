//! What scores were made with: numbers, and classes of actions.

crate::table! {
    /// One row per number of the weights that the scores of this batch rest on.
    "score_weights" ScoreWeight {
        /// Name, as `class.ESC.ceiling`.
        name: String,
        /// The number.
        value: f64,
        /// Hash of the weights, as in every scored row.
        weights_hash: String,
    }
}

crate::table! {
    /// One row per action and permission that the built-in catalogs know. A reference table: it
    /// is not part of any batch.
    "catalog_actions" CatalogAction {
        /// Name in lower case, as `s3:getobject` or `contents:write`.
        action: String,
        /// ESC, CRED, PERM, DATA, WRITE, READ, TAG, LIST.
        class: String,
    }
}
