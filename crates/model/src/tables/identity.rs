//! Who exists, what they may do and what they did.

use crate::{Key, Timestamp};

crate::table! {
    /// One row per identity, human or not.
    "identities" Identity {
        /// Key of (platform, natural id: ARN, app id, …). See `tables::identity_key`.
        identity_key: Key,
        /// aws, github, kubernetes, …
        platform: String,
        /// role, user, service_linked_role, group, account_root, service, service_account, rbac_role, rbac_cluster_role, workload, app_installation, deploy_key, repository_token, environment, webhook, …
        kind: String,
        /// Short name.
        name: String,
        /// Natural id: ARN, `app:slug`, `repo:owner/name:token`, …
        native_id: String,
        /// Platform unique id (AROA…, app id).
        unique_id: Option<String>,
        /// Account, organisation or tenant.
        account: Option<String>,
        /// Whether it is a non-human identity; null if undecided.
        is_nhi: Option<bool>,
        /// Owner, from tags or metadata.
        owner: Option<String>,
        /// production, staging, development, … from tags or name.
        environment: Option<String>,
        /// When it was made.
        created_at: Option<Timestamp>,
        /// When it last acted, by the inventory.
        last_used_at: Option<Timestamp>,
        /// enabled, disabled, unknown.
        status: String,
        /// `key=value` tags.
        tags: Vec<String>,
        /// Where the row comes from.
        source_key: Key,
    }
}

crate::table! {
    /// One row per credential an identity can authenticate with.
    "credentials" Credential {
        /// Key of (platform, natural id).
        credential_key: Key,
        /// Whose it is.
        identity_key: Option<Key>,
        /// access_key, password, deploy_key, app_key, actions_secret, environment_secret, organization_secret, ci_variable, context (a named set of variables of CircleCI), service_account_token, kubernetes_secret, …
        kind: String,
        /// Public id or name (never the value).
        name: String,
        /// `owner/name`, environment or account it lives in.
        scope: Option<String>,
        /// active, inactive, unknown.
        status: String,
        /// When it was made.
        created_at: Option<Timestamp>,
        /// When it was last changed.
        rotated_at: Option<Timestamp>,
        /// When it was last used.
        last_used_at: Option<Timestamp>,
        /// When it ends.
        expires_at: Option<Timestamp>,
        /// Where the row comes from.
        source_key: Key,
    }
}

crate::table! {
    /// One row per policy statement or permission an identity holds.
    "grants" Grant {
        /// Key of (identity, policy, statement ordinal).
        grant_key: Key,
        /// Who holds it.
        identity_key: Key,
        /// aws, github, …
        platform: String,
        /// identity, group, boundary, scp, rcp, session, permission; resource for what the policy
        /// of a resource grants; role for what a role of Kubernetes, Google Cloud or Azure or a
        /// policy of Vault contains; of Kubernetes also aggregation (label selector in `conditions`) and binding (to the role in `statement`).
        policy_kind: String,
        /// Of control policies, the root, unit or account they are attached to: each level has
        /// to allow.
        level: Option<String>,
        /// Name or ARN of the policy.
        policy: String,
        /// Sid or position.
        statement: String,
        /// allow, deny.
        effect: String,
        /// Actions or scopes as written (`s3:Get*`, `contents:write`).
        actions: Vec<String>,
        /// Whether `actions` lists what is *not* covered (NotAction).
        not_actions: bool,
        /// Resources as written.
        resources: Vec<String>,
        /// Whether `resources` lists what is *not* covered (NotResource).
        not_resources: bool,
        /// Conditions as JSON text.
        conditions: Option<String>,
        /// false where the statement could not be understood and counts as "may".
        understood: bool,
        /// Where the row comes from.
        source_key: Key,
    }
}

crate::table! {
    /// One row per way to become an identity: trust statements and federation.
    "trusts" Trust {
        /// Key of (identity, statement ordinal, principal).
        trust_key: Key,
        /// The identity that can be assumed.
        identity_key: Key,
        /// aws, federated, service, canonical, any, service_account, workload, secret; identity for
        /// one of another platform that `principal_key` names, spiffe_workload for what runs
        /// below a SPIFFE id.
        principal_kind: String,
        /// ARN, provider, issuer, principal URI, service or `*`.
        principal: String,
        /// The identity that is trusted, where it has a natural key.
        principal_key: Option<Key>,
        /// allow, deny.
        effect: String,
        /// sts:AssumeRole, …
        actions: Vec<String>,
        /// Conditions as JSON text.
        conditions: Option<String>,
        /// Patterns an OIDC `sub` must match; empty if unrestricted.
        subjects: Vec<String>,
        /// Where the row comes from.
        source_key: Key,
    }
}

crate::table! {
    /// One row per (identity, action, resource, denied): what an identity did.
    "activity" Activity {
        /// Who acted; null where no principal could be named.
        identity_key: Option<Key>,
        /// ARN or login as logged.
        principal: String,
        /// Session name or key id the call was signed with; for federated sessions the id of the temporary key, or the OIDC subject.
        session: Option<String>,
        /// IAM action, as `s3:GetObject`.
        action: String,
        /// Resource, where named.
        resource: Option<String>,
        /// Whether all calls were refused: an attempt, not a use.
        denied: bool,
        /// How often.
        calls: i64,
        /// First call.
        first_at: Option<Timestamp>,
        /// Last call.
        last_at: Option<Timestamp>,
        /// Whether it is a data event (only visible if the trail has them).
        data_event: bool,
        /// cloudtrail, gcp_audit, entra_sign_in, …
        evidence: String,
        /// Where the row comes from.
        source_key: Key,
    }
}

crate::table! {
    /// One row per assumption of an identity seen in activity: an observed edge.
    "assumptions" Assumption {
        /// Who assumed, as logged.
        source: String,
        /// Who assumed.
        source_identity_key: Option<Key>,
        /// ARN of the role, e-mail of the service account, application id.
        target: String,
        /// The role.
        target_identity_key: Option<Key>,
        /// AssumeRole, AssumeRoleWithWebIdentity, AssumeRoleWithSAML; impersonate and TokenRequest of Kubernetes; ExchangeToken, GenerateAccessToken, … of Google Cloud; FederatedSignIn of Entra.
        mechanism: String,
        /// Session name.
        session_name: Option<String>,
        /// Session id: `AROA…:name` (assumedRoleId) of AWS, the token identifier of Entra.
        session_id: Option<String>,
        /// Id of the temporary key that was issued (`ASIA…`).
        access_key_id: Option<String>,
        /// OIDC subject.
        subject: Option<String>,
        /// Whether it was refused.
        denied: bool,
        /// How often.
        calls: i64,
        /// First seen.
        first_at: Option<Timestamp>,
        /// Last seen.
        last_at: Option<Timestamp>,
        /// Where the row comes from.
        source_key: Key,
    }
}
