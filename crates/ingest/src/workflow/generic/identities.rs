//! Rows of `identities`, `grants`, `activity`, `trusts` and `owners`.
//!
//! Identities are named as everywhere, by platform and natural id, so that a row here meets the
//! rows of an account dump. A statement that is no statement counts as "may", and says so.

use super::record::{Cell, Cells, Members, is_given, key, text};
use super::schema::Table;
use crate::identity;
use leakgraph_model::tables::{Identity, identity_key};
use leakgraph_model::{Key, Timestamp};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Kind of an identity that is only referred to; any other kind takes its place.
pub(crate) const UNKNOWN_KIND: &str = "unknown";
/// Tags of an identity that say who owns it, by what became of them.
pub(crate) const OWNER_TAGS: [&str; 3] = ["owner_active=", "owner_unverified=", "owner_departed="];
const NO_IDENTITY: &str = "identity_key, or platform and native_id";
const KINDS_OF_TRUST: &str = "principal_kind, or a principal that tells it";

/// Conditions are objects in JSON and their text elsewhere; here they are text.
pub(super) fn plain<'m>(table: &Table, members: &'m Members) -> Cow<'m, Members> {
    match members.get("conditions").filter(|value| value.is_object() && table.has("conditions")) {
        None => Cow::Borrowed(members),
        Some(conditions) => {
            let mut plain = members.clone();
            plain.insert("conditions".to_owned(), Value::String(conditions.to_string()));
            Cow::Owned(plain)
        }
    }
}

/// The platform of an identity; an ARN tells it.
fn platform(members: &Members, id: &str) -> Option<String> {
    let of_arn = || id.starts_with("arn:").then(|| "aws".to_owned());
    text(members, "platform").map(|name| name.trim().to_lowercase()).or_else(of_arn)
}

/// The identity a row is about.
fn subject(members: &Members) -> Option<Key> {
    let named = || {
        let id = text(members, "native_id")?;
        Some(identity_key(&platform(members, &id)?, &id))
    };
    key(members, "identity_key").or_else(named)
}

/// Fills keys and what follows from natural ids. Returns what makes the row a "may".
///
/// # Errors
/// Names the columns without which there is no key.
pub(super) fn fill(
    table: &str,
    members: &Members,
    cells: &mut Cells,
) -> Result<Option<String>, &'static str> {
    match table {
        "identities" => one(members, cells).map(|()| None),
        "activity" => call(members, cells).map(|()| None),
        "grants" => grant(members, cells),
        _ => trust(members, cells),
    }
}

fn put_text(cells: &mut Cells, column: &'static str, text: impl Into<String>) {
    cells.insert(column, Cell::Text(text.into()));
}

fn text_of<'c>(cells: &'c Cells, column: &str) -> Option<&'c str> {
    match cells.get(column)? {
        Cell::Text(text) => Some(text),
        _ => None,
    }
}

fn list_of<'c>(cells: &'c Cells, column: &str) -> &'c [String] {
    match cells.get(column) {
        Some(Cell::List(items)) => items,
        _ => &[],
    }
}

fn one(members: &Members, cells: &mut Cells) -> Result<(), &'static str> {
    let id = text(members, "native_id").ok_or("native_id")?;
    let platform = platform(members, &id).ok_or("platform")?;
    cells.entry("identity_key").or_insert_with(|| Cell::Key(identity_key(&platform, &id)));
    if platform == "aws" && !cells.contains_key("account") {
        let account = id.split(':').nth(4).filter(|account| !account.is_empty());
        cells.extend(account.map(|account| ("account", Cell::Text(account.to_owned()))));
    }
    if !cells.contains_key("name") {
        let of_arn = id.strip_prefix("arn:").and_then(|arn| arn.rsplit(['/', ':']).next());
        put_text(cells, "name", of_arn.unwrap_or(&id));
    }
    put_text(cells, "platform", platform);
    Ok(())
}

fn call(members: &Members, cells: &mut Cells) -> Result<(), &'static str> {
    if !is_given(members, "principal") {
        put_text(cells, "principal", text(members, "native_id").ok_or("principal or native_id")?);
    }
    let named = || {
        let id = text(members, "principal")?;
        Some(identity_key(&platform(members, &id)?, &id))
    };
    let who = subject(members).or_else(named).ok_or("identity_key or platform")?;
    cells.insert("identity_key", Cell::Key(who));
    Ok(())
}

/// Lower-case effect and conditions that are an object. What else they are makes a "may".
fn statement(members: &Members, cells: &mut Cells) -> Option<String> {
    let effect = text(members, "effect").map(|effect| effect.trim().to_lowercase());
    let wrong_effect = effect.as_ref().filter(|effect| !matches!(effect.as_str(), "allow" | "deny"));
    let mut trouble = wrong_effect.map(|_| "its effect is neither allow nor deny");
    put_text(
        cells,
        "effect",
        if wrong_effect.is_some() { "allow" } else { effect.as_deref().unwrap_or("allow") },
    );
    if let Some(conditions) = text(members, "conditions") {
        match serde_json::from_str::<Value>(&conditions) {
            Ok(Value::Object(empty)) if empty.is_empty() => drop(cells.remove("conditions")),
            Ok(Value::Object(_)) => {}
            _ => trouble = trouble.or(Some("its conditions are no JSON object")),
        }
    }
    trouble.map(str::to_owned)
}

fn grant(members: &Members, cells: &mut Cells) -> Result<Option<String>, &'static str> {
    let holder = subject(members).ok_or(NO_IDENTITY)?;
    let platform = platform(members, &text(members, "native_id").unwrap_or_default()).ok_or("platform")?;
    let mut trouble = statement(members, cells);
    let is_blank = |column| list_of(cells, column).iter().all(|item| item.trim().is_empty());
    for (column, why) in [("actions", "it has no actions"), ("resources", "it has no resources")] {
        if platform == "aws" && is_blank(column) {
            trouble = trouble.or_else(|| Some(why.to_owned()));
        }
    }
    if !is_given(members, "resources") {
        cells.insert("resources", Cell::List(vec!["*".to_owned()]));
    }
    if trouble.is_some() {
        cells.insert("understood", Cell::Bool(false));
    }
    put_text(cells, "platform", platform);
    cells.insert("identity_key", Cell::Key(holder));
    if !cells.contains_key("statement") {
        let content = content(cells, &["effect", "conditions"], &["actions", "resources"]);
        let id: String = content.to_string().chars().take(8).collect();
        put_text(cells, "statement", format!("#{id}"));
    }
    let [kind, policy, place] =
        ["policy_kind", "policy", "statement"].map(|column| text_of(cells, column).unwrap_or_default());
    // As the importer of account dumps does: inline policies of two groups may have one name.
    let kind = match text(members, "group") {
        Some(group) => format!("{kind}:{group}"),
        None => kind.to_owned(),
    };
    let trouble =
        trouble.map(|why| format!("statement {place} of policy {policy} of {}: {why}", named(members)));
    let made = Key::of("grant", &[&holder.to_string(), &kind, policy, place]);
    cells.entry("grant_key").or_insert(Cell::Key(made));
    Ok(trouble)
}

/// The identity of a row, for a reader of problems.
fn named(members: &Members) -> String {
    let name = text(members, "native_id").or_else(|| text(members, "identity_key")).unwrap_or_default();
    name.chars().take(200).collect()
}

fn content(cells: &Cells, texts: &[&str], lists: &[&str]) -> Key {
    let flags = ["not_actions", "not_resources"]
        .map(|column| matches!(cells.get(column), Some(Cell::Bool(true))).to_string());
    let mut parts: Vec<&str> =
        texts.iter().map(|column| text_of(cells, column).unwrap_or_default()).collect();
    parts.extend(flags.each_ref().map(String::as_str));
    for list in lists {
        parts.push("");
        parts.extend(list_of(cells, list).iter().map(String::as_str));
    }
    Key::of("statement", &parts)
}

fn trust(members: &Members, cells: &mut Cells) -> Result<Option<String>, &'static str> {
    let target = subject(members).ok_or(NO_IDENTITY)?;
    let principal = text(members, "principal").ok_or("principal")?;
    let other = text(members, "principal_platform").map(|name| name.trim().to_lowercase());
    let told = text(members, "principal_kind");
    let kind = told
        .or_else(|| kind_of_principal(&principal, other.as_deref()).map(str::to_owned))
        .ok_or(KINDS_OF_TRUST)?;
    let trouble = statement(members, cells);
    if let Some(why) = &trouble {
        // A condition that nobody knows: "may".
        put_text(cells, "conditions", json!({ "unknown": { "statement": why } }).to_string());
    } else if list_of(cells, "subjects").is_empty()
        && let Some(conditions) =
            text_of(cells, "conditions").and_then(|text| serde_json::from_str(text).ok())
    {
        cells.insert("subjects", Cell::List(identity::subjects_of(&conditions)));
    }
    let trusted = match other {
        Some(other) => Some(identity_key(&other, &principal)),
        None => (kind == "aws" && principal.starts_with("arn:")).then(|| identity_key("aws", &principal)),
    };
    if let Some(trusted) = trusted {
        cells.entry("principal_key").or_insert(Cell::Key(trusted));
    }
    if !is_given(members, "actions") && principal_is_of_aws(members) {
        let action = if kind == "federated" { "sts:AssumeRoleWithWebIdentity" } else { "sts:AssumeRole" };
        cells.insert("actions", Cell::List(vec![action.to_owned()]));
    }
    cells.insert("identity_key", Cell::Key(target));
    let place = text(members, "statement")
        .unwrap_or_else(|| content(cells, &["effect", "conditions"], &["actions", "subjects"]).to_string());
    let made = Key::of("trust", &[&target.to_string(), &place, &kind, &principal]);
    cells.entry("trust_key").or_insert(Cell::Key(made));
    put_text(cells, "principal_kind", kind);
    Ok(trouble.map(|why| format!("the trust in {principal} of {}: {why}", named(members))))
}

fn principal_is_of_aws(members: &Members) -> bool {
    platform(members, &text(members, "native_id").unwrap_or_default()).as_deref() == Some("aws")
}

/// What a principal is, where its text tells.
fn kind_of_principal(principal: &str, platform: Option<&str>) -> Option<&'static str> {
    let has = |part: &str| principal.contains(part);
    match principal {
        _ if platform.is_some_and(|platform| platform != "aws") => Some("identity"),
        "*" => Some("any"),
        _ if has(":oidc-provider/") || has(":saml-provider/") || has("://") => Some("federated"),
        _ if principal.starts_with("arn:") => Some("aws"),
        _ if principal.len() == 12 && principal.bytes().all(|byte| byte.is_ascii_digit()) => Some("aws"),
        _ if principal.ends_with(".amazonaws.com") => Some("service"),
        _ => None,
    }
}

/// Who owns what, by the rows of a file.
#[derive(Default)]
pub(super) struct Owners(BTreeMap<Key, Owned>);

/// An identity and the tags that say whose it is.
struct Owned {
    platform: String,
    native_id: String,
    tags: BTreeSet<String>,
}

impl Owners {
    /// Adds a row.
    ///
    /// # Errors
    /// Names the columns without which it says nothing. A status that is none is one of them.
    pub(super) fn row(&mut self, members: &Members) -> Result<(), &'static str> {
        let id = text(members, "native_id").ok_or("native_id")?;
        let platform = platform(members, &id).ok_or("platform")?;
        let owner = text(members, "owner").ok_or("owner")?;
        let departed_at = text(members, "departed_at");
        let departed =
            departed_at.as_deref().map(|at| Timestamp::parse(at).ok_or(NO_DEPARTURE)).transpose()?;
        let status = text(members, "status").map(|status| status.trim().to_lowercase());
        let tag = match status.as_deref() {
            Some("active") => OWNER_TAGS[0],
            Some("departed") => OWNER_TAGS[2],
            None if departed.is_some() => OWNER_TAGS[2],
            None => OWNER_TAGS[1],
            Some(_) => return Err(NO_STATUS),
        };
        let owned = self.0.entry(identity_key(&platform, &id)).or_insert_with(|| Owned {
            platform,
            native_id: id,
            tags: BTreeSet::new(),
        });
        owned.tags.insert(format!("{tag}{owner}"));
        owned.tags.extend(departed.map(|at| format!("owner_departed_at={at}")));
        Ok(())
    }

    /// Identities whose inventory is elsewhere.
    pub(super) fn identities(self, source_key: Key) -> impl Iterator<Item = Identity> {
        self.0.into_iter().map(move |(identity_key, owned)| {
            let tags: Vec<String> = owned.tags.into_iter().collect();
            Identity {
                identity_key,
                platform: owned.platform,
                kind: UNKNOWN_KIND.to_owned(),
                name: owned.native_id.clone(),
                native_id: owned.native_id,
                owner: owner_of(&tags),
                status: "unknown".to_owned(),
                tags,
                source_key,
                ..Identity::default()
            }
        })
    }
}

const NO_DEPARTURE: &str = "a departed_at that is a time with an offset (RFC 3339)";
const NO_STATUS: &str = "a status that is active or departed";

/// Of several owners one who is there, else one of whom nothing is known, else one who left;
/// of equals the first by name.
pub(crate) fn owner_of(tags: &[String]) -> Option<String> {
    let owner = |prefix: &&str| tags.iter().filter_map(|tag| tag.strip_prefix(*prefix)).min();
    OWNER_TAGS.iter().find_map(owner).map(str::to_owned)
}
