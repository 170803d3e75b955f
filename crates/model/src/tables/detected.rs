//! What the scanner saw.

use crate::{Key, Timestamp};

crate::table! {
    /// One row per distinct secret value: its keyed fingerprint stands for it.
    "secrets" Secret {
        /// Key of (key id, fingerprint).
        secret_key: Key,
        /// HMAC-SHA-256 of the value under the installation key, 128 bits, hexadecimal.
        fingerprint: String,
        /// Which installation key made the fingerprint.
        key_id: String,
        /// Rule that recognised it.
        rule: String,
        /// aws, github, …
        provider: String,
        /// access_key_id, personal_access_token, private_key, …
        kind: String,
        /// Bytes of the value.
        value_bytes: i64,
        /// Masked preview: the rule's fixed prefix and at most the last 4 characters.
        preview: String,
        /// verified-structure, likely, possible: the best of its sightings.
        confidence: String,
        /// checksum_valid, structure_valid, unverified.
        verification: String,
        /// ephemeral, hours, long, unknown.
        lifetime: String,
        /// info … critical.
        severity: String,
        /// Identity it authenticates, where it says so itself.
        identity_key: Option<Key>,
        /// aws_access_key, aws_account, jwt_subject, gcp_service_account, github_token, known_name, …: how the identity was found.
        resolved_by: Option<String>,
        /// What the value says of its identity: account number, issuer and subject, e-mail (never the value itself).
        resolved_subject: Option<String>,
        /// Where the organisation keeps it (vault path and name), if it was imported as known.
        kept_as: Vec<String>,
        /// When it ends, where it says so itself.
        expires_at: Option<Timestamp>,
        /// First sighting.
        first_seen_at: Option<Timestamp>,
        /// Last sighting.
        last_seen_at: Option<Timestamp>,
    }
}

crate::table! {
    /// One row per occurrence of a secret.
    "secret_sightings" SecretSighting {
        /// Key of (source, offset, fingerprint, rule).
        sighting_key: Key,
        /// The secret.
        secret_key: Key,
        /// Its run, where known.
        run_key: Option<Key>,
        /// Its job, where known.
        job_key: Option<Key>,
        /// Its step, where known.
        step_key: Option<Key>,
        /// The handoff whose input carries it.
        handoff_key: Option<Key>,
        /// The file.
        source_key: Key,
        /// Path of the file.
        path: String,
        /// Line from 1.
        line: i64,
        /// Byte offset of the occurrence in the file.
        byte_offset: i64,
        /// log, script_echo, env_binding, with_binding, job_output, system, handoff_input, webhook, json, yaml, xml.
        place: String,
        /// Name of the variable, input or key it was assigned to, where known.
        name: Option<String>,
        /// Encodings from the outside in; empty if plain.
        encodings: Vec<String>,
        /// Whether the job also shows a masked binding of that name: the platform knew it as secret.
        masked_elsewhere: bool,
        /// What the platform's masker would have done with the value in the form it stands here, had it been registered as a secret. masked: it would have replaced it, so it was not registered when the line was printed. missed: it lets this form through. unknown: no log of a platform whose masker is known. Null in rows of older versions.
        mask_simulation: Option<String>,
        /// masked: the registered form that matches (literal, base64, base64_shift_1, base64_shift_2, command_line, expression, json, uri, xml, trimmed_quotes, powershell, shell, dollar, backslash, token_prefix, …). missed: what lets it through (base64_unaligned, base64_unpadded, base64_url, base64_twice, base64, hex, compressed, utf16, reversed, spaced, split, wrapped, ansi, percent_lower_case, percent_twice, percent, json, nested, multi_line, too_short, blank, common_word, respelled, …). Null if unknown.
        mask_form: Option<String>,
        /// verified-structure, likely, possible.
        confidence: String,
        /// Time of the line.
        seen_at: Option<Timestamp>,
    }
}

crate::table! {
    /// One row per text and kind of oddity of its masks: where a mask stands can tell of the value behind it.
    "mask_anomalies" MaskAnomaly {
        /// Key of (source, member, kind).
        mask_anomaly_key: Key,
        /// Its run, where known.
        run_key: Option<Key>,
        /// Its job, where known.
        job_key: Option<Key>,
        /// Step of the first mask, where known.
        step_key: Option<Key>,
        /// The file.
        source_key: Key,
        /// Path of the file.
        path: String,
        /// over_masking (masks inside words and numbers: a registered secret is short or common), residue (base 64 beside a mask: the rest of an encoded secret), alias (a masked name next to its IP address), length_kept (a mask as long as its secret).
        kind: String,
        /// Masks that show it.
        occurrences: i64,
        /// Line of the first one, from 1.
        line: i64,
        /// Byte offset of the first one in the file.
        byte_offset: i64,
        /// Time of its line.
        seen_at: Option<Timestamp>,
    }
}
