//! The ways in which logs leak: every shape with a secret of its kind, found by value.
//!
//! The letters and numbers are those of the catalogue of leak shapes; the values are made
//! here.

use crate::sample::{Random, sample};
use crate::scanner;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leakgraph_scan::{Confidence, Scanner};

const STAMP: &str = "2026-11-02T09:14:07.1234567Z ";

fn of(scanner: &Scanner, rule: &str) -> String {
    let rule = scanner.rules().rules().iter().find(|one| one.id == rule).unwrap();
    String::from_utf8(sample(rule, 21)).unwrap()
}

/// A password of letters and digits as people make them.
fn password() -> String {
    ["Kq7wPf", "2xLmZr9Td"].concat()
}

fn aws_secret() -> String {
    ["q8Zr2Lk0Vn5Tw7BxHc3M", "d9Fj1Gs6Ye4Ua+PiKo/T"].concat()
}

/// Shape, text with its secret, and the secret.
fn shapes(scanner: &Scanner) -> Vec<(&'static str, String, String)> {
    let (github, npm) = (of(scanner, "github-classic"), of(scanner, "npm"));
    let (installation, gitlab) = (of(scanner, "github-installation"), of(scanner, "gitlab-pat"));
    let (dop, slack, jwt) = (of(scanner, "digitalocean"), of(scanner, "slack-webhook"), of(scanner, "jwt"));
    let (pem, id) = (of(scanner, "pem-private-key"), of(scanner, "aws-access-key-id"));
    let (pass, secret, openai) = (password(), aws_secret(), of(scanner, "openai"));
    let (first, second) = pass.split_at(4);
    let phrase = format!("{first} {second}");
    let (truncated, _) = github.split_at(github.len() - 1);
    let b64 = |text: &str| STANDARD.encode(text);
    let reversed: String = github.chars().rev().collect();
    let plain = |shape, text: String, value: &String| (shape, text, value.clone());
    vec![
        plain("A01", format!("+ curl -H 'Authorization: Bearer {github}' https://api.github.com/user"), &github),
        plain("A02", format!("AWS_ACCESS_KEY_ID={id}\n{STAMP}AWS_SECRET_ACCESS_KEY={secret}\n{STAMP}HOME=/home/runner"), &secret),
        plain("A03", format!("##[group]Run echo \"::add-mask::{github}\""), &github),
        plain("A04", format!("\x1b[36;1m./deploy.sh --token \"{github}\"\x1b[0m"), &github),
        plain("A05", format!("##[group] Inputs\n{STAMP}  api_token: {github}"), &github),
        plain("A06", format!("client_payload: {{\"target\":\"prod\",\"deploy_key\":\"{github}\"}}"), &github),
        plain("A07", format!("#8 [4/9] RUN --mount=type=cache NPM_TOKEN={npm} npm ci"), &npm),
        plain("A08", format!("[command]/usr/bin/docker buildx build --build-arg NPM_TOKEN={npm} --tag app:1 ."), &npm),
        plain("A09", format!("docker login -u ci -p {pass} registry.acme.test"), &pass),
        plain("A11", format!("Cloning into 'infra'... https://x-access-token:{installation}@github.com/acme/infra.git"), &installation),
        plain("A12", format!("sqlalchemy.exc.OperationalError: could not connect using postgres://deploy:{pass}!@db.internal:5432/app"), &format!("{pass}!")),
        plain("A13", format!("> authorization: Basic {}", b64(&format!("ci:{pass}"))), &pass),
        plain("A14", format!("09:14:07.221 http.c:756 => Send header: Authorization: Basic {}", b64(&format!("x-access-token:{installation}"))), &installation),
        plain("A15", format!("Outputs:\n{STAMP}db_password = \"{pass}\""), &pass),
        plain("A16", format!("+ terraform plan -var do_token={dop}"), &dop),
        plain("A17", serde_json::json!({"outputs": {"kubeconfig": {"sensitive": true, "value": format!("users:\n- name: ci\n  user:\n    client-key-data: {}\n", b64(&pem))}}}).to_string(), &pem),
        plain("A18", format!("kind: Secret\n{STAMP}data:\n{STAMP}  password: {}", b64(&pass)), &pass),
        plain("A19", format!("//npm.acme.test/:_authToken={npm}"), &npm),
        plain("A20", pem.replace('\n', "\\n"), &pem),
        plain("A21", pem.clone(), &pem),
        plain("A21 with timestamps", pem.replace('\n', &format!("\n{STAMP}")), &pem),
        plain("A21 indented", pem.replace('\n', "\n      "), &pem),
        plain("A22", format!("ID_TOKEN={jwt}"), &jwt),
        plain("A23", format!("Posting to https://{slack}"), &slack),
        plain("A24", format!("openai.AuthenticationError: Error code: 401 - {{'error': {{'message': 'Incorrect API key provided: {openai}. You can find your API key at https://platform.openai.com/account/api-keys.'}}}}"), &openai),
        plain("A24 short", format!("openai.AuthenticationError: Incorrect API key provided: {openai}."), &openai),
        plain("B01", format!("client_secret={pass}"), &pass),
        plain("B02", serde_json::json!({"type": "service_account", "private_key": format!("{pem}\n")}).to_string(), &pem),
        plain("B03", b64(&format!("{secret}\n")), &secret),
        plain("B04", b64(&serde_json::json!({"aws_secret_access_key": secret}).to_string()), &secret),
        plain("B05", b64(&b64(&format!("\"KEY_ID\":{{\"value\":\"{id}\",\"isSecret\":true}}\n\"github_token\":{{\"value\":\"{github}\"}}"))), &github),
        plain("B06", b64(&b64(&b64(&format!("{{\"npm\":\"{npm}\"}}")))), &npm),
        plain("B07", format!("00000000: {}", secret.as_bytes().chunks(2).map(|two| two.iter().map(|byte| format!("{byte:02x}")).collect::<String>()).collect::<Vec<_>>().chunks(8).map(|row| row.join(" ")).collect::<Vec<_>>().join(&format!("  ................\n{STAMP}00000010: "))), &secret),
        plain("B08", reversed, &github),
        plain("B09", github.chars().map(String::from).collect::<Vec<_>>().join(" "), &github),
        plain("B10", format!("part1={}\n{STAMP}part2={}", github.split_at(20).0, github.split_at(20).1), &github),
        // One character is missing, and the checksum says which.
        plain("B14", format!("token ends with ...{}", truncated), &github),
        plain("B14 in text", format!("cut to '{}' by the logger", truncated), &github),
        plain("B12", format!("https://x.test/cb?token={}", secret.replace('/', "%252F").replace('+', "%252B")), &secret),
        plain("B17", format!("{}%0A", pem.replace(' ', "%20").replace('\n', "%0A")), &pem),
        plain("B18", format!("++ export DEPLOY_TOKEN={gitlab}"), &gitlab),
        plain("B19", format!("$ echo \"pass is {phrase}\""), &phrase),
        plain("C01", format!("\x1b[36;1mgh workflow run deploy.yml -R acme/infra -f env=prod -f token={github}\x1b[0m"), &github),
        plain("C02", format!("curl -X POST -H 'Authorization: token {github}' https://api.github.com/repos/acme/infra/actions/workflows/deploy.yml/dispatches -d '{{\"ref\":\"main\"}}'"), &github),
        plain("C07", format!("\x1b[36;1mecho \"DEPLOY_TOKEN={github}\" >> $GITHUB_ENV\x1b[0m"), &github),
        plain("C09", format!("{{\"_class\":\"StringParameterValue\",\"name\":\"DB_PASS\",\"value\":\"{pass}\"}}"), &pass),
        plain("C10", format!("INFO - Triggering DAG deploy with conf {{\"api_key\": \"{github}\"}}"), &github),
        plain("C11", serde_json::json!({"parameters": serde_json::json!({"Input": {"token": github}}).to_string()}).to_string(), &github),
        plain("C12", format!("{{\"name\":\"Authorization\",\"value\":\"Bearer {github}\"}}"), &github),
    ]
}

#[test]
fn every_shape_of_leak_is_found_by_value() {
    let scanner = scanner();
    let mut worker = scanner.worker();
    let mut misses = Vec::new();
    for (shape, text, value) in shapes(scanner) {
        let text = format!("{STAMP}before\n{STAMP}{text}\n{STAMP}after\n");
        let fingerprint = worker.fingerprint(value.as_bytes());
        let seen = worker.scan(text.as_bytes()).sightings;
        if !seen.iter().any(|one| one.fingerprint == fingerprint) {
            let found: Vec<_> = seen.iter().map(|one| (&one.rule, &one.encodings, one.value_bytes)).collect();
            misses.push(format!("{shape}: {found:?}"));
        }
    }
    assert!(misses.is_empty(), "{}", misses.join("\n"));
}

#[test]
fn what_only_looks_like_a_leak_is_not_likely() {
    let mut random = Random::new(5);
    let hex = |count: usize, random: &mut Random| -> String {
        (0..count).map(|_| format!("{:x}", random.below(16))).collect()
    };
    let integrity = STANDARD.encode(hex(32, &mut random).repeat(2));
    let lines = [
        "make: *** [Makefile:84: test] Error 1".to_owned(),
        "WARNING! Your credentials are stored unencrypted in '/home/deploy/.docker/config.json'.".to_owned(),
        "openai.AuthenticationError: Incorrect API key provided: sk-proj-FAKE****wxyz.".to_owned(),
        "Welcome to Ubuntu ***.04.5 LTS (GNU/Linux 5.15.0-1084-aws x86_64)".to_owned(),
        "polaris_access_token = ******************************************************".to_owned(),
        format!("Digest: sha256:{}", hex(64, &mut random)),
        format!("integrity sha512-{integrity}"),
        format!("Download action repository 'actions/checkout@v4' (SHA:{})", hex(40, &mut random)),
        "  token: ${{ secrets.GITHUB_TOKEN }}".to_owned(),
        "docker login -u *** --password-stdin <<< \"***\"".to_owned(),
        "printf '%s' \"$CI_JOB_TOKEN\" | docker login -u ci --password-stdin $CI_REGISTRY".to_owned(),
    ];
    let scanner = scanner();
    let mut worker = scanner.worker();
    for line in lines {
        let seen = worker.scan(format!("{STAMP}{line}\n").as_bytes()).sightings;
        assert!(seen.iter().all(|one| one.confidence == Confidence::Possible), "{line}: {seen:?}");
    }
}
