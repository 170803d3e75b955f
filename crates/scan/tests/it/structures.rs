//! Secrets told by where they stand, what their fields say of their owner, and what the
//! rules themselves must declare.

use crate::sample::{Random, drawn, sample};
use crate::scanner;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leakgraph_scan::{Confidence, Rule, Sighting, Verification};

fn rule(id: &str) -> &'static Rule {
    scanner().rules().rules().iter().find(|rule| rule.id == id).unwrap()
}

fn scan(text: &str) -> Vec<Sighting> {
    scanner().worker().scan(text.as_bytes()).sightings
}

fn made(id: &str) -> String {
    String::from_utf8(sample(rule(id), 41)).unwrap()
}

/// The one sighting of a kind.
fn only(text: &str, kind: &str) -> Sighting {
    let mut all = scan(text);
    let kinds: Vec<String> = all.iter().map(|seen| seen.kind.clone()).collect();
    all.retain(|seen| seen.kind == kind);
    assert_eq!(all.len(), 1, "{kind} among {kinds:?}");
    all.remove(0)
}

#[test]
fn every_rule_declares_itself() {
    const RESOLVERS: [&str; 16] = [
        "none",
        "aws_access_key",
        "aws_bedrock_key",
        "azure_key",
        "discord_bot",
        "gcp_service_account",
        "github_app",
        "github_user",
        "gitlab_token",
        "grafana_org",
        "jwt_subject",
        "onepassword_account",
        "pypi_token",
        "registry_login",
        "sentry_org",
        "slack_app",
    ];
    const LIFETIMES: [&str; 4] = ["ephemeral", "hours", "long", "unknown"];
    for rule in scanner().rules().rules() {
        assert!(rule.docs.starts_with("https://") || rule.kind == "generic_secret", "{}", rule.id);
        assert!(RESOLVERS.contains(&rule.resolver.as_str()), "{} {}", rule.id, rule.resolver);
        assert!(LIFETIMES.contains(&rule.lifetime.as_str()), "{}", rule.id);
        let plain = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
        };
        assert!(plain(&rule.id) && plain(&rule.kind), "{}", rule.id);
        assert!(rule.context.iter().all(|word| plain(word) && word.len() >= 3), "{}", rule.id);
    }
}

#[test]
fn what_a_value_says_of_its_owner_is_what_the_rule_declares() {
    let mut worker = scanner().worker();
    let mut named = 0;
    for rule in scanner().rules().rules().iter().filter(|rule| !rule.pattern.is_empty()) {
        let text = [b"v ".as_slice(), &drawn(rule, 42, false).text, b" \n"].concat();
        for seen in worker.scan(&text).sightings.into_iter().filter(|seen| seen.rule == rule.id) {
            if let Some(resolved) = seen.resolved {
                assert_eq!(resolved.by, rule.resolver, "{}", rule.id);
                assert!(!resolved.subject.is_empty(), "{}", rule.id);
                named += 1;
            }
        }
    }
    assert!(named >= 30, "{named}");
}

#[test]
fn fields_inside_tokens_are_read() {
    let bedrock = only(&made("aws-bedrock"), "aws_bedrock_key");
    assert_eq!(bedrock.resolved.unwrap().subject, "account 123456789012");
    let pypi = only(&made("pypi"), "pypi_token");
    assert_eq!(pypi.confidence, Confidence::VerifiedStructure);
    assert!(pypi.expires_at.is_some() && pypi.resolved.unwrap().subject.starts_with("token "));
    assert!(only(&made("jfrog-reference"), "jfrog_reference_token").expires_at.is_some());
    let sentry = only(&made("sentry"), "sentry_token");
    assert!(sentry.resolved.unwrap().subject.ends_with(" at https://sentry.io"));
    let grafana = only(&made("grafana-cloud"), "grafana_cloud_token");
    assert_eq!(grafana.resolved.unwrap().subject, "organization 12345 token n");
    let account = only(&made("onepassword"), "onepassword_token");
    assert_eq!(account.resolved.unwrap().subject, "a@b.test at x.1password.com");
}

#[test]
fn a_job_token_tells_its_app_and_its_end() {
    let jwt = made("jwt");
    let token = format!("{}{}_{jwt}", "ghs_", 15_368);
    let seen = only(&format!("token: {token}\n"), "github_token");
    assert_eq!(
        (seen.confidence, seen.verification),
        (Confidence::VerifiedStructure, Verification::StructureValid)
    );
    assert!(seen.expires_at.is_some());
    assert_eq!(seen.resolved.unwrap().subject, "app id 15368");
}

#[test]
fn a_routable_token_tells_where_it_belongs() {
    let mut random = Random::new(7);
    let payload = [b"o:1\nu:2s\n".as_slice(), &random.bytes(17)].concat();
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(payload);
    let head = format!("{}{payload}.01.0y", "glpat-");
    let mut sum = u64::from(crc32fast::hash(head.as_bytes()));
    let mut digits = Vec::new();
    for _ in 0..7 {
        digits.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[usize::try_from(sum % 36).unwrap()]);
        sum /= 36;
    }
    digits.reverse();
    let tail = String::from_utf8(digits).unwrap();
    let seen = only(&format!("TOKEN={head}{tail}\n"), "gitlab_pat");
    assert_eq!(seen.verification, Verification::ChecksumValid);
    assert_eq!(seen.resolved.unwrap().subject, "organization 1 user 100");
    let wrong = format!("TOKEN={head}{}\n", tail.replace(|letter: char| letter.is_ascii_digit(), "z"));
    assert!(scan(&wrong).iter().all(|seen| seen.confidence == Confidence::Possible));
}

#[test]
fn keys_whose_parts_disagree_are_only_possible() {
    // PKCS #1 with small numbers: version, n, e, d, p, q. 15 = 3 · 5.
    let key = |modulus: u8| {
        let mut inner = vec![2, 1, 0, 2, 1, modulus, 2, 1, 3, 2, 1, 7, 2, 1, 3, 2, 1, 5];
        inner.extend([4, 40]);
        inner.extend([7; 40]);
        let mut der = vec![0x30, u8::try_from(inner.len()).unwrap()];
        der.extend(inner);
        let label = ["RSA PRIVATE", "KEY"].join(" ");
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
    };
    assert_eq!(only(&key(15), "private_key").confidence, Confidence::VerifiedStructure);
    assert_eq!(only(&key(21), "private_key").confidence, Confidence::Possible);
}

#[test]
fn openssh_keys_carry_two_equal_numbers() {
    let key = |second: u32| {
        let field = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
        let private = [7_u32.to_be_bytes().as_slice(), &second.to_be_bytes(), &[1; 80]].concat();
        let body = [
            b"openssh-key-v1\0".as_slice(),
            &field(b"none"),
            &field(b"none"),
            &field(b""),
            &1_u32.to_be_bytes(),
            &field(&[2; 51]),
            &field(&private),
        ]
        .concat();
        let label = ["OPENSSH PRIVATE", "KEY"].join(" ");
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(body))
    };
    assert_eq!(only(&key(7), "private_key").confidence, Confidence::VerifiedStructure);
    assert_eq!(only(&key(8), "private_key").confidence, Confidence::Possible);
}

#[test]
fn kubernetes_manifests_and_kubeconfigs_are_read() {
    let password = ["Vn5Tw7Bx", "Lk0q8"].concat();
    let text = format!(
        "2026-11-02T09:14:07.1234567Z apiVersion: v1\n2026-11-02T09:14:07.1234567Z kind: Secret\n2026-11-02T09:14:07.1234567Z data:\n2026-11-02T09:14:07.1234567Z   db: {}\n",
        STANDARD.encode(&password)
    );
    let seen = only(&text, "kubernetes_secret");
    assert_eq!(
        (seen.name.as_deref(), seen.encodings.as_slice(), seen.line),
        (Some("db"), ["base64".to_owned()].as_slice(), 4)
    );
    assert_eq!(seen.fingerprint, scanner().worker().fingerprint(password.as_bytes()));

    let key = made("pem-private-key");
    let text = format!("    client-key-data: {}\n", STANDARD.encode(&key));
    let seen = only(&text, "private_key");
    assert_eq!(seen.name.as_deref(), Some("client-key-data"));
    assert_eq!(seen.fingerprint, scanner().worker().fingerprint(key.as_bytes()));
    only(&format!("users:\n- user:\n    token: {}\n", made("jwt")), "jwt");
}

#[test]
fn outputs_of_cloud_commands_are_read() {
    let id = ["ASIA", "W5TFQ2LN6ZJ7RBXA"].concat();
    let secret = ["q8Zr2Lk0Vn5Tw7BxHc3M", "d9Fj1Gs6Ye4Ua+PiKo/T"].concat();
    let session = made("aws-session-token");
    let text = format!(
        "{{\"Credentials\": {{\"AccessKeyId\": \"{id}\", \"SecretAccessKey\": \"{secret}\", \"SessionToken\": \"{session}\", \"Expiration\": \"2026-11-02T10:14:07Z\"}}}}"
    );
    let kinds: Vec<String> = scan(&text).into_iter().map(|seen| seen.kind).collect();
    assert_eq!(kinds, ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"]);
    let principal =
        format!("{{\"appId\": \"x\", \"password\": \"{}\", \"tenant\": \"y\"}}", made("azure-client-secret"));
    assert_eq!(only(&principal, "azure_client_secret").verification, Verification::ChecksumValid);
    only(&format!("{{\"accessToken\": \"{}\", \"tokenType\": \"Bearer\"}}", made("jwt")), "jwt");
    only(
        &format!("$ gcloud auth print-access-token\n{}\n", made("google-access-token")),
        "google_access_token",
    );
}

#[test]
fn configuration_lines_are_read() {
    let password = ["q8Zr2Lk0", "Vn5Tw7Bx"].concat();
    for (kind, text) in [
        ("netrc_password", format!("machine api.test login me password {password}\n")),
        ("npm_registry_credential", format!("//npm.test/:_authToken={password}0123abcd\n")),
        (
            "docker_config_auth",
            format!(
                "{{\"auths\":{{\"r.test\":{{\"auth\":\"{}\"}}}}}}\n",
                STANDARD.encode(format!("ci:{password}"))
            ),
        ),
        ("generic_secret", format!("[pypi]\nusername = me\npassword = {password}\n")),
        (
            "adonet_connection",
            format!("Server=db.test;Database=app;User Id=sa;Password={password};Encrypt=true\n"),
        ),
        ("jdbc_connection", format!("jdbc:postgresql://db.test/app?user=me&password={password}&ssl=true\n")),
        ("uri_credential", format!("mongodb+srv://app:{password}@cluster0.test/db\n")),
        ("uri_credential", format!("amqps://app:{password}@mq.test:5671/\n")),
        ("docker_login_password", format!("+ docker login -u ci -p {password} registry.test\n")),
        ("twilio_auth_token", format!("TWILIO_AUTH_TOKEN={}\n", "0f1e2d3c4b5a69788796a5b4c3d2e1f0")),
        ("datadog_api_key", format!("DD-API-KEY: {}\n", "0f1e2d3c4b5a69788796a5b4c3d2e1f0")),
        (
            "datadog_api_key",
            format!("helm upgrade --set datadog.apiKey={}\n", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"),
        ),
        ("cloudflare_global_key", format!("X-Auth-Key: {}\n", "0f1e2d3c4b5a69788796a5b4c3d2e1f0a1b2c")),
    ] {
        let seen = only(&text, kind);
        assert!(seen.confidence >= Confidence::Likely, "{kind}");
    }
}

#[test]
fn a_signed_address_is_no_access_key() {
    let id = ["AKIA", "W5TFQ2LN6ZJ7RBXA"].concat();
    let text = format!("https://x.s3.amazonaws.com/a?X-Amz-Credential={id}%2F20261102%2Fus-east-1\n");
    assert!(scan(&text).iter().all(|seen| seen.confidence == Confidence::Possible));
}
