//! Graphs of BloodHound's collectors and of our own export.

use crate::generic::{read, reasons};
use crate::support::{corpus, recognised};
use leakgraph_ingest::link;
use leakgraph_model::Evidence;
use leakgraph_model::tables::identity_key;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

fn node(id: &str, kinds: &[&str], properties: Value) -> Value {
    json!({"id": id, "kinds": kinds, "properties": properties})
}

fn edge(kind: &str, start: &str, end: &str) -> Value {
    json!({"kind": kind, "start": {"value": start}, "end": {"value": end}})
}

fn graph(nodes: &[Value], edges: &[Value]) -> Evidence {
    let file = json!({"metadata": {"source_kind": "Test"}, "graph": {"nodes": nodes, "edges": edges}});
    let (evidence, texts) = read("any.json", file.to_string());
    assert_eq!(evidence.source_files[0].kind, "opengraph");
    assert_eq!(texts.0.len(), 1, "the file is scanned once");
    evidence
}

#[test]
fn permissions_come_to_those_who_act_through_teams_and_roles() {
    let place = json!({"environment_name": "acme"});
    let with = |more: Value| {
        let mut properties = place.clone();
        properties.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        properties
    };
    let nodes = [
        node("U1", &["GH_User"], with(json!({"name": "ada", "login": "ada"}))),
        node("T1", &["GH_Team"], with(json!({"name": "Core", "slug": "core"}))),
        node(
            "TR",
            &["GH_TeamRole", "GH_Role"],
            with(json!({"name": "acme/core/members", "short_name": "members"})),
        ),
        node(
            "RR",
            &["GH_RepoRole", "GH_Role"],
            with(json!({"name": "acme/api/write", "short_name": "write"})),
        ),
        node("RB", &["GH_RepoRole", "GH_Role"], with(json!({"name": "acme/api/read", "short_name": "read"}))),
        node("R1", &["GH_Repository"], with(json!({"name": "api", "full_name": "acme/api"}))),
        node("S1", &["GH_RepoSecret", "GH_Secret"], with(json!({"name": "TOKEN", "repository_id": "R1"}))),
        node(
            "I1",
            &["GH_AppInstallation"],
            with(json!({"name": "bot", "app_slug": "bot", "repository_selection": "selected",
                "permissions": "{\"contents\": \"write\"}", "suspended_at": ""})),
        ),
    ];
    let edges = [
        edge("GH_HasRole", "u1", "TR"),
        edge("GH_MemberOf", "TR", "T1"),
        edge("GH_HasRole", "T1", "RR"),
        edge("GH_HasBaseRole", "RR", "RB"),
        // Roles may refer to each other.
        edge("GH_HasBaseRole", "RB", "RR"),
        edge("GH_WriteRepoContents", "RR", "R1"),
        edge("GH_CloseIssue", "RR", "R1"),
        edge("GH_ReadRepoContents", "RB", "R1"),
        edge("GH_CanAccess", "I1", "R1"),
        edge("GH_Contains", "R1", "S1"),
    ];
    let evidence = graph(&nodes, &edges);
    assert!(evidence.problems.iter().all(|problem| !problem.lossy), "{:?}", evidence.problems);
    assert_eq!(
        reasons(&evidence, "no_rows"),
        ["edges that nobody may do anything by, without rows: GH_Contains 1"]
    );
    let of = |native: &str| {
        let key = identity_key("github", native);
        let rows = evidence.grants.iter().filter(|row| row.identity_key == key);
        rows.map(|row| {
            (row.policy_kind.as_str(), row.policy.as_str(), row.actions.join(" "), row.resources.join(" "))
        })
        .collect::<Vec<_>>()
    };
    let write = "contents:write GH_CloseIssue";
    assert_eq!(
        of("user:ada"),
        [
            ("group", "read", "contents:read".to_owned(), "repo:acme/api".to_owned()),
            ("group", "write", sorted(write), "repo:acme/api".to_owned()),
        ]
    );
    // A team holds nothing itself, a role what it has itself.
    assert_eq!((of("team:acme/core").len(), of("role:acme/api/write").len()), (0, 1));
    assert_eq!(
        of("app:bot"),
        [("permission", "installation", "contents:write".to_owned(), "repo:acme/api".to_owned())]
    );
    let into: BTreeSet<_> =
        evidence.trusts.iter().map(|row| (row.principal.as_str(), row.identity_key)).collect();
    assert!(into.contains(&("team:acme/core", identity_key("github", "role:acme/api/write"))));
    let secret = &evidence.credentials[0];
    assert_eq!((secret.kind.as_str(), secret.scope.as_deref()), ("actions_secret", Some("acme/api")));
}

fn sorted(words: &str) -> String {
    words.split(' ').collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")
}

#[test]
fn clouds_meet_their_own_inventories() {
    const ROLE: &str = "arn:aws:iam::111122223333:role/deploy";
    let app = "11111111-2222-3333-4444-555555555555";
    let nodes = [
        node("R1", &["GH_Repository"], json!({"full_name": "acme/api"})),
        node("E1", &["GH_Environment"], json!({"repository_id": "R1", "short_name": "prod", "name": "prod"})),
        node(
            "SP-OBJECT",
            &["AZServicePrincipal", "AZBase"],
            json!({"appid": app.to_uppercase(), "name": "ci"}),
        ),
        node("APP-OBJECT", &["AZApp"], json!({"appid": app, "name": "ci"})),
        node("U1", &["AZUser"], json!({"name": "ada@acme.test", "enabled": false})),
        node("/SUBSCRIPTIONS/1", &["AZSubscription"], json!({"name": "main"})),
        node("O1", &["Okta_User"], json!({"name": "ada"})),
    ];
    let edges = [
        edge("GH_CanAssumeIdentity", "E1", ROLE),
        edge("AZRunsAs", "APP-OBJECT", "SP-OBJECT"),
        edge("AZOwns", "U1", "APP-OBJECT"),
        edge("AZOwner", "SP-OBJECT", "/subscriptions/1"),
        json!({"kind": "SyncedTo", "start": {"match_by": "name", "kind": "Okta_User", "value": "ADA"},
            "end": {"match_by": "name", "value": "Ada@Acme.Test"}}),
    ];
    let account = json!({"RoleDetailList": [{"Arn": ROLE, "RoleName": "deploy", "RoleId": "AROA1"}]});
    let mut evidence = graph(&nodes, &edges);
    assert_eq!(evidence.problems, []);
    evidence.append(read("account.json", account.to_string()).0);
    link(&mut evidence);
    let role = evidence.identities.iter().filter(|row| row.native_id == ROLE).collect::<Vec<_>>();
    assert_eq!((role.len(), role[0].unique_id.as_deref()), (1, Some("AROA1")));
    let federated = evidence.trusts.iter().find(|row| row.principal_kind == "federated").unwrap();
    assert_eq!(federated.subjects, ["repo:acme/api:environment:prod"]);
    assert_eq!(federated.identity_key, identity_key("aws", ROLE));
    let apps: Vec<_> = evidence.identities.iter().filter(|row| row.native_id == app).collect();
    assert_eq!((apps.len(), apps[0].owner.as_deref()), (1, Some("ada@acme.test")));
    let owner = evidence.grants.iter().find(|row| row.policy == "Owner").unwrap();
    assert_eq!(
        (owner.identity_key, owner.resources[0].as_str()),
        (identity_key("azure", app), "/subscriptions/1")
    );
    let synced = evidence.trusts.iter().find(|row| row.actions == ["SyncedTo"]).unwrap();
    assert_eq!(synced.principal_key, Some(identity_key("okta", "O1")));
    let user = evidence.identities.iter().find(|row| row.name == "ada@acme.test").unwrap();
    assert_eq!((user.status.as_str(), user.is_nhi), ("disabled", Some(false)));
}

#[test]
fn unknown_kinds_and_loose_ends_are_named_with_their_count() {
    let nodes = [
        node("P1", &["Jamf_Printer"], json!({"name": "p"})),
        node("P2", &["Jamf_Printer"], json!({})),
        node("U1", &["Jamf_User"], json!({"name": "ada"})),
        json!({"id": "X", "kinds": []}),
    ];
    let edges = [
        edge("Jamf_Prints", "U1", "P1"),
        edge("Jamf_Prints", "U1", "P2"),
        edge("Jamf_AdminTo", "U1", "P1"),
        edge("MemberOf", "U1", "nobody"),
        json!({"start": {"value": "U1"}, "end": {"value": "P1"}}),
    ];
    let evidence = graph(&nodes, &edges);
    assert_eq!(
        reasons(&evidence, "unknown_kind"),
        [
            "2 nodes of kind Jamf_Printer, which is not known",
            "2 edges of kind Jamf_Prints, which is not known"
        ]
    );
    assert_eq!(
        reasons(&evidence, "dangling_edge"),
        ["1 edges of kind MemberOf whose ends are not in the file"]
    );
    assert_eq!(reasons(&evidence, "incomplete"), ["2 nodes or edges lack id, kind or ends"]);
    let [grant] = evidence.grants.as_slice() else { panic!("{:?}", evidence.grants) };
    assert_eq!((grant.platform.as_str(), grant.actions[0].as_str()), ("jamf", "Jamf_AdminTo"));
    assert_eq!(grant.resources, ["P1"], "an unknown node can be a resource");
    assert!(evidence.problems.iter().all(|problem| problem.lossy));
}

/// Members of members of members: each would have to be followed for each.
#[test]
fn a_chain_of_members_is_cut_and_said() {
    let count = 2_200;
    let nodes: Vec<Value> =
        (0..count).map(|id| node(&id.to_string(), &["Okta_User"], json!({"name": id.to_string()}))).collect();
    let edges: Vec<Value> =
        (1..count).map(|id| edge("Okta_MemberOf", &(id - 1).to_string(), &id.to_string())).collect();
    let evidence = graph(&nodes, &edges);
    let [reason] = reasons(&evidence, "too_large")[..] else { panic!("{:?}", evidence.problems) };
    assert!(
        reason.ends_with("identities are left out: groups and roles give more than 2000000 of them"),
        "{reason}"
    );
    assert_eq!((evidence.identities.len(), evidence.trusts.len()), (count, count - 1));
}

#[test]
fn near_misses_are_not_ours() {
    let foreign = [
        json!({"graph": {"nodes": [{"id": "a", "label": "x"}], "edges": [{"source": "a", "target": "b"}]}}),
        json!({"graph": {"nodes": []}}),
        json!({"nodes": [{"id": "a", "kinds": ["b"]}], "edges": []}),
    ];
    for value in foreign {
        let (evidence, _) = read("any.json", value.to_string());
        assert!(evidence.source_files.iter().all(|file| file.platform != "bloodhound"), "{value}");
    }
}

/// As `leakgraph export opengraph` writes it.
#[test]
fn our_export_comes_back_with_all_nodes_and_edges() {
    let nodes = [
        ("1", "LG_Job", "job", "acme/api ci / build"),
        ("2", "LG_Identity", "identity", "arn:aws:iam::111122223333:role/deploy"),
        ("3", "LG_Identity", "identity", "repo:acme/api:token"),
        ("4", "LG_Human", "human", "user:ada"),
        ("5", "LG_Secret", "secret", "npm token 0011"),
        ("6", "LG_Resource", "resource", "arn:aws:s3:::site [data]"),
        ("7", "LG_Admin", "admin", "admin of 111122223333"),
    ];
    let edges = [
        ("LG_RunsAs", "1", "2", 0, true, false),
        ("LG_Trust", "1", "2", 2, false, false),
        ("LG_Scope", "1", "3", 0, false, true),
        ("LG_Assumes", "4", "2", 1, true, true),
        ("LG_Reads", "1", "5", 0, false, false),
        ("LG_Grant", "2", "6", 0, false, false),
        ("LG_Escalation", "2", "7", 0, false, false),
    ];
    let written: Vec<Value> = nodes
        .iter()
        .map(|(id, kind, own, label)| node(id, &[kind, "LG_Base"], json!({"name": label, "kind": own})))
        .collect();
    let lines: Vec<Value> = edges
        .iter()
        .map(|(kind, start, end, cost, observed, assumed)| {
            json!({"kind": kind, "start": {"match_by": "id", "value": start}, "end": {"match_by": "id", "value": end},
                "properties": {"cost": cost, "observed": observed, "assumed": assumed}})
        })
        .collect();
    let evidence = graph(&written, &lines);
    assert_eq!(evidence.problems, []);
    let mut names = BTreeMap::new();
    for row in &evidence.identities {
        let kind = match row.kind.as_str() {
            "unknown" => "identity",
            "user" => "human",
            other => other,
        };
        names.insert(row.identity_key, (kind, row.name.as_str()));
    }
    let wanted: BTreeSet<_> = nodes.iter().map(|(_, _, kind, label)| (*kind, *label)).collect();
    assert_eq!(names.values().copied().collect::<BTreeSet<_>>(), wanted);
    let label = |id: &str| nodes.iter().find(|node| node.0 == id).map(|node| node.3).unwrap();
    let back: BTreeSet<_> = evidence
        .trusts
        .iter()
        .map(|row| {
            let checks: Value =
                row.conditions.as_deref().map_or(Value::Null, |text| serde_json::from_str(text).unwrap());
            (
                row.actions[0].as_str(),
                names[&row.principal_key.unwrap()].1,
                names[&row.identity_key].1,
                checks.pointer("/checks/cost").and_then(Value::as_i64).unwrap_or(0),
                row.actions.get(1).is_some_and(|action| action == "observed"),
                checks.pointer("/checks/assumed").and_then(Value::as_bool).unwrap_or(false),
            )
        })
        .collect();
    let wanted: BTreeSet<_> = edges
        .iter()
        .map(|(kind, start, end, cost, observed, assumed)| {
            (*kind, label(start), label(end), *cost, *observed, *assumed)
        })
        .collect();
    assert_eq!(back, wanted);
}

/// GitHound's sample organisation against the closure that `oracle/reach.json` has of it: who
/// can make a branch in a repository gets at the secrets of that repository.
#[test]
fn githounds_sample_gives_the_same_secrets_per_user() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("identities/githound");
    let path = folder.join("samples/githound_O_kgDOCoV2OQ.json");
    assert_eq!(recognised(&path), [("bloodhound", "opengraph")]);
    let text = std::fs::read_to_string(&path).unwrap();
    let (evidence, _) = read("any.json", &text);
    assert!(evidence.problems.iter().all(|problem| !problem.lossy), "{:?}", evidence.problems);
    let kinds = |kind: &str| evidence.identities.iter().filter(|row| row.kind == kind).count();
    let counts =
        ["user", "personal_access_token", "app_installation", "app", "group", "role_definition"].map(kinds);
    assert_eq!(counts, [13, 6, 5, 3, 8, 172]);
    assert_eq!(evidence.credentials.len(), 17, "11 secrets and 6 tokens");

    let value: Value = serde_json::from_str(&text).unwrap();
    let names: BTreeMap<&str, &Value> = value["graph"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (node["id"].as_str().unwrap(), &node["properties"]))
        .collect();
    let mut secrets: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for edge in
        value["graph"]["edges"].as_array().unwrap().iter().filter(|edge| edge["kind"] == "GH_HasSecret")
    {
        let end = |side: &str| names[edge[side]["value"].as_str().unwrap()];
        let repository = format!("repo:{}", end("start")["full_name"].as_str().unwrap());
        secrets.entry(repository).or_default().insert(end("end")["name"].as_str().unwrap());
    }
    let oracle: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("oracle/reach.json")).unwrap()).unwrap();
    let wanted: BTreeMap<&str, BTreeSet<&str>> = oracle["secrets_reachable_by_user"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(user, names)| {
            (user.as_str(), names.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect())
        })
        .collect();
    for user in evidence.identities.iter().filter(|row| row.kind == "user") {
        let reached: BTreeSet<&str> = evidence
            .grants
            .iter()
            .filter(|row| row.identity_key == user.identity_key)
            .filter(|row| row.actions.iter().any(|action| action == "GH_CanCreateBranch"))
            .flat_map(|row| &row.resources)
            .flat_map(|resource| secrets.get(resource).into_iter().flatten().copied())
            .collect();
        assert_eq!(reached, wanted.get(user.name.as_str()).cloned().unwrap_or_default(), "{}", user.name);
    }
}
