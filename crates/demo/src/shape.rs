//! The forms in which a secret shows up in a log.

use crate::vault::secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::Write as _;

/// How a planted secret is written. `encodings` names what stands around the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Plain,
    Trace,
    Base64,
    Base64Twice,
    Hex,
    Percent,
    JsonInJson,
    Gzip,
    Ansi,
    Reversed,
    Utf16,
    Block,
    Uri,
    GitRemote,
    EnvDump,
    CommandLine,
    CurlHeader,
    Npmrc,
    Kubeconfig,
    ServiceAccount,
    DockerConfig,
    TerraformOutput,
    StackTrace,
    QueryParameter,
}

/// Lines of output that hold the secret `name`.
pub(crate) fn lines(shape: Shape, name: &str) -> Vec<String> {
    let value = secret(name).value;
    let base64 = |bytes: &[u8]| STANDARD.encode(bytes);
    match shape {
        Shape::Plain => vec![format!("token: {value}")],
        Shape::Trace => vec![format!("+ export {name}={value}"), "+ ./publish.sh".to_owned()],
        // `echo "$X" | base64`: the runner masks what a newline does not change, values of a
        // length that three divides.
        Shape::Base64 => vec![format!("{name}_B64={}", base64(format!("{value}\n").as_bytes()))],
        Shape::Base64Twice => vec![format!("payload: {}", base64(base64(value.as_bytes()).as_bytes()))],
        Shape::Hex => vec![value.bytes().map(|byte| format!("{byte:02x}")).collect()],
        Shape::Percent => vec![format!("POST /login?next=%2F&credential={}", percent(&value))],
        Shape::JsonInJson => {
            let inner = serde_json::json!({"auth": {"token": value}}).to_string();
            vec![serde_json::json!({"level": "debug", "request": inner}).to_string()]
        }
        Shape::Gzip => vec![format!("state={}", base64(&gzip(value.as_bytes())))],
        Shape::Ansi => {
            let (head, tail) = value.split_at(value.len() / 2);
            vec![format!("using \u{1b}[33m{head}\u{1b}[0m\u{1b}[33m{tail}\u{1b}[0m")]
        }
        Shape::Reversed => vec![format!("echo {} | rev", value.chars().rev().collect::<String>())],
        Shape::Utf16 => {
            let command = format!("$env:{name}='{value}'; ./Deploy.ps1");
            let bytes: Vec<u8> = command.encode_utf16().flat_map(u16::to_le_bytes).collect();
            vec![format!("powershell.exe -NoProfile -EncodedCommand {}", base64(&bytes))]
        }
        Shape::Block => value.lines().map(str::to_owned).collect(),
        Shape::Uri => vec![format!(
            "psycopg2.OperationalError: could not connect with postgresql://billing:{value}@db.northwind-labs.example:5432/invoices"
        )],
        Shape::GitRemote => vec![format!(
            "fatal: unable to access 'https://x-access-token:{value}@github.com/northwind-labs/platform-deploy/': 403"
        )],
        Shape::EnvDump => env_dump(name, &value),
        Shape::CommandLine => vec![format!("[command]/usr/bin/docker login -u northwindci -p {value}")],
        Shape::CurlHeader => vec![
            "> POST /v1/chat/completions HTTP/2".to_owned(),
            format!("> authorization: Bearer {value}"),
            "> accept: */*".to_owned(),
        ],
        Shape::Npmrc => vec![format!("//registry.npmjs.org/:_authToken={value}")],
        Shape::Kubeconfig => {
            vec!["- name: deployer".to_owned(), "  user:".to_owned(), format!("    token: {value}")]
        }
        Shape::ServiceAccount => vec![
            serde_json::json!({
                "type": "service_account",
                "project_id": "northwind-ml",
                "private_key": format!("{value}\n"),
                "client_email": "trainer@northwind-ml.iam.gserviceaccount.com",
            })
            .to_string(),
        ],
        Shape::DockerConfig => {
            let auth = base64(format!("northwindci:{value}").as_bytes());
            vec![serde_json::json!({"auths": {"https://index.docker.io/v1/": {"auth": auth}}}).to_string()]
        }
        Shape::TerraformOutput => vec![format!("admin_password = \"{value}\"")],
        Shape::StackTrace => vec![
            "Error: 401 Unauthorized".to_owned(),
            format!("    at Client.send (client.js:41:11) {{ apiKey: '{value}' }}"),
        ],
        Shape::QueryParameter => {
            vec![format!("GET https://api.example.com/v2/sync?access_token={value}&page=1")]
        }
    }
}

/// Encodings around the value, outermost first, as the scanner names them.
pub(crate) fn encodings(shape: Shape) -> &'static [&'static str] {
    match shape {
        Shape::Base64 | Shape::DockerConfig => &["base64"],
        Shape::Base64Twice => &["base64", "base64"],
        Shape::Hex => &["hex"],
        Shape::Percent => &["percent"],
        Shape::JsonInJson => &[],
        Shape::ServiceAccount => &["json"],
        Shape::Gzip => &["base64", "gzip"],
        Shape::Reversed => &["reversed"],
        Shape::Utf16 => &["base64", "utf16"],
        _ => &[],
    }
}

/// `env | sort` of a job; an AWS key comes with its id.
fn env_dump(name: &str, value: &str) -> Vec<String> {
    let mut lines = vec!["CI=true".to_owned(), "HOME=/home/runner".to_owned(), "LANG=C.UTF-8".to_owned()];
    match name.strip_suffix("_SECRET") {
        Some(pair) => {
            lines.push(format!("AWS_ACCESS_KEY_ID={}", secret(&format!("{pair}_KEY_ID")).value));
            lines.push("AWS_REGION=eu-central-1".to_owned());
            lines.push(format!("AWS_SECRET_ACCESS_KEY={value}"));
        }
        None => lines.push(format!("{name}={value}")),
    }
    lines.push("RUNNER_OS=Linux".to_owned());
    lines
}

fn percent(value: &str) -> String {
    value.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::GzBuilder::new().mtime(0).write(Vec::new(), flate2::Compression::best());
    // Writing to memory cannot fail; an empty answer would fail the tests.
    encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default()
}
