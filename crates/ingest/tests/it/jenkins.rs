//! Jenkins: real consoles, and build JSON and `build.xml` after its sources (`Cause.java`,
//! `InputStepExecution.java`) and public examples of both.

use crate::orchestrators::places;
use crate::support::{Inputs, Texts, corpus, problem, read_path, recognised};
use leakgraph_ingest::{Limits, link};
use leakgraph_model::tables::{Handoff, job_key, run_key};
use leakgraph_model::{Evidence, Key};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fs;

fn linked(inputs: &Inputs) -> (Evidence, Texts) {
    let (mut evidence, texts) = inputs.read(&Limits::default());
    link(&mut evidence);
    (evidence, texts)
}

fn build(name: &str, number: u32) -> Key {
    run_key("jenkins", &name.to_lowercase(), &number.to_string(), 1)
}

/// Steps of Pipeline that are no blocks around others, stages with a name, and libraries: a
/// count of raw lines.
fn steps_of(text: &str) -> usize {
    let blocks = ["stage", "script", "parallel", "withEnv", "dir", "node", "timeout", "retry"];
    let lines: Vec<&str> = text.lines().collect();
    let word = |line: &str| {
        line.strip_prefix("[Pipeline] ").and_then(|step| step.split(' ').next()).unwrap_or("").to_owned()
    };
    let steps = lines.iter().filter(|line| {
        let word = word(line);
        word.starts_with(|letter: char| letter.is_ascii_lowercase()) && !blocks.contains(&word.as_str())
    });
    let stages = lines
        .windows(2)
        .filter(|pair| pair[0] == "[Pipeline] stage" && pair[1].starts_with("[Pipeline] { ("));
    let libraries = lines.iter().filter(|line| line.starts_with("Loading library "));
    steps.count() + stages.count() + libraries.count()
}

#[test]
fn real_consoles_give_a_step_per_step() {
    let Some(corpus) = corpus() else { return };
    // Counted with grep, too.
    for (name, steps) in
        [("stan-dev_ci-scripts_consoleText", 43 + 9 + 1), ("polaris_async-mode_2025-11-13.md", 15 + 4 + 1)]
    {
        let path = corpus.join("workflows/jenkins-consoles").join(name);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(recognised(&path), [("jenkins", "console")], "{name}");
        let (evidence, texts) = read_path(&path);
        assert_eq!(evidence.problems, [], "{name}");
        assert_eq!((evidence.runs.len(), evidence.jobs.len()), (1, 1), "{name}");
        assert_eq!(steps_of(&text), steps, "{name}");
        assert_eq!(evidence.steps.len(), steps, "{name}");
        let [(_, bytes)] = texts.0.as_slice() else { panic!("{name} is handed over once") };
        assert_eq!(bytes, text.as_bytes(), "{name}");
    }
}

#[test]
fn a_real_console_names_credentials_libraries_and_what_it_started() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("workflows/jenkins-consoles");
    let (evidence, _) = read_path(&folder.join("stan-dev_ci-scripts_consoleText"));
    let (run, job) = (&evidence.runs[0], &evidence.jobs[0]);
    assert_eq!((run.event.as_deref(), run.conclusion.as_deref()), (Some("push"), Some("success")));
    assert_eq!(run.workflow_path.as_deref(), Some("Jenkinsfile"));
    assert_eq!(run.workflow_sha.as_deref(), Some("744e758272da95c7bd8464aca2e79a0c2e2066fd"));
    assert_eq!(job.runner_name.as_deref(), Some("gelman-group-linux"));
    let names: Vec<_> =
        evidence.secrets_passed.iter().map(|row| (row.name.as_str(), row.how.as_str())).collect();
    let expected = [
        ("stan-buildbot github authentication", "credential_id"),
        ("a630aebc-6861-4e69-b497-fd7f496ec46b", "credential_id"),
    ];
    assert_eq!(names, expected);
    let library = evidence.steps.iter().find(|step| step.uses.is_some()).unwrap();
    assert_eq!(
        (library.uses.as_deref(), library.pinned.as_deref()),
        (Some("StanUtils@master"), Some("branch"))
    );
    assert_eq!(library.resolved_sha.as_deref(), Some("43fee5fc72a580ef2815afa94651d552158296af"));
    let [handoff] = evidence.handoffs.as_slice() else { panic!("{:#?}", evidence.handoffs) };
    assert_eq!(
        (handoff.child_repo.as_deref(), handoff.mechanism.as_str()),
        (Some("CmdStan Performance Tests/master"), "build_step")
    );
    assert_eq!((handoff.link_method.as_str(), evidence.evidence_gaps.len()), ("unlinked", 1));

    let (evidence, _) = read_path(&folder.join("polaris_async-mode_2025-11-13.md"));
    assert_eq!(evidence.runs[0].actor.as_deref(), Some("admin"));
    let bound: Vec<_> = evidence
        .bindings
        .iter()
        .map(|row| (row.name.as_str(), row.place.as_str(), row.state.as_str()))
        .collect();
    assert_eq!(bound, [("GITHUB_TOKEN", "withCredentials", "masked")]);
}

/// A parent that starts one build and waits, and schedules another.
const PARENT: &str = "Started by user \x1b[8mha:////4H+H6gi+RzqRXgbuxDkiDNvJYq3p=\x1b[0mEngineer\nRunning as SYSTEM\n\
[Pipeline] Start of Pipeline\n[Pipeline] build (Building deploy)\nScheduling project: team » deploy\nStarting building: team » deploy #88\n\
[Pipeline] build\nScheduling project: team » notify\n[Pipeline] stage\n[Pipeline] { (Release)\n[Pipeline] input\nShip it?\nProceed or Abort\nApproved by Ada\n\
[Pipeline] }\n[Pipeline] // stage\n[Pipeline] End of Pipeline\nFinished: SUCCESS\n";

/// The answer for the first of them, as `/job/team/job/deploy/88/api/json` gives it.
fn child(value: &str) -> Value {
    json!({"_class": "org.jenkinsci.plugins.workflow.job.WorkflowRun",
        "actions": [
            {"_class": "hudson.model.CauseAction", "causes": [{"_class": "org.jenkinsci.plugins.workflow.support.steps.build.BuildUpstreamCause",
                "shortDescription": "Started by upstream project \"team/release\" build number 1,042",
                "upstreamBuild": 1042, "upstreamProject": "team/release", "upstreamUrl": "job/team/job/release/"}]},
            {"_class": "hudson.model.ParametersAction", "parameters": [
                {"_class": "hudson.model.StringParameterValue", "name": "TOKEN", "value": value},
                {"_class": "hudson.model.BooleanParameterValue", "name": "DRY_RUN", "value": false},
                {"_class": "hudson.model.PasswordParameterValue", "name": "PASSWORD"}]},
            {},
            {"_class": "hudson.plugins.git.util.BuildData", "lastBuiltRevision": {"SHA1": "0ff3ae198f8601a285adcf5c0fff204ee6fba5fd",
                "branch": [{"SHA1": "0ff3ae198f8601a285adcf5c0fff204ee6fba5fd", "name": "refs/remotes/origin/main"}]}}],
        "building": false, "duration": 61000, "fullDisplayName": "team » deploy #88", "number": 88, "queueId": 5, "result": "UNSTABLE",
        "timestamp": 1_528_383_688_682_i64, "url": "http://192.168.33.10:8080/job/team/job/deploy/88/", "builtOn": "linux-1"})
}

#[test]
fn both_ends_of_a_chain_meet_in_one_handoff() {
    let inputs = Inputs::new();
    let value = format!("{}{}", "Zx81hGk2", "Lq9Vt4Rw7Yb3");
    inputs.add("x/job/team/job/release/1042/consoleText", PARENT);
    inputs.add("deploy.json", child(&value).to_string());
    inputs.add("x/job/team/job/notify/7/consoleText", "Started by upstream project \"team/release\" build number 1,042\noriginally caused by:\n Started by user Engineer\nRunning as SYSTEM\nFinished: SUCCESS\n");
    let (evidence, texts) = linked(&inputs);
    assert_eq!(evidence.problems, []);
    let (release, deploy, notify) =
        (build("team/release", 1042), build("team/deploy", 88), build("team/notify", 7));
    let mut links: Vec<_> =
        evidence.handoffs.iter().map(|row| (row.child_run_key, row.parent_run_key, row.confidence)).collect();
    let mut expected = vec![(Some(deploy), Some(release), 1.0), (Some(notify), Some(release), 1.0)];
    links.sort_by_key(|link| link.0);
    expected.sort_by_key(|link| link.0);
    assert_eq!(links, expected, "what was scheduled is the build that names its parent");
    let to = |child: Key| {
        evidence.handoffs.iter().find(|row: &&Handoff| row.child_run_key == Some(child)).unwrap()
    };
    assert_eq!(
        (to(deploy).mechanism.as_str(), to(deploy).link_method.as_str()),
        ("build_step", "explicit_id")
    );
    assert_eq!(
        (to(deploy).child_job_key, to(notify).link_method.as_str()),
        (Some(job_key(deploy, "build")), "cause")
    );

    let carried: Vec<_> = evidence
        .handoff_inputs
        .iter()
        .map(|row| (row.handoff_key, row.name.as_str(), row.value_class.as_str()))
        .collect();
    let key = to(deploy).handoff_key;
    assert_eq!(
        carried,
        [(key, "TOKEN", "token_like"), (key, "DRY_RUN", "bool"), (key, "PASSWORD", "masked")]
    );
    assert_eq!(texts.count(&value), 1);
    assert!(!format!("{evidence:?}").contains(&value));
    let run = evidence.runs.iter().find(|run| run.run_key == deploy).unwrap();
    assert_eq!((run.event.as_deref(), run.conclusion.as_deref()), (Some("upstream"), Some("unstable")));
    assert_eq!(run.ended_at.zip(run.started_at).map(|(end, start)| end.seconds_since(start)), Some(61.0));
    assert_eq!(run.head_ref.as_deref(), Some("refs/remotes/origin/main"));
}

#[test]
fn an_input_is_an_approval_by_somebody_else_or_not() {
    let inputs = Inputs::new();
    inputs.add("x/job/a/1/consoleText", PARENT);
    inputs.add("x/job/b/1/consoleText", PARENT.replace("Approved by Ada", "Approved by Engineer"));
    inputs.add(
        "x/job/c/1/consoleText",
        PARENT
            .replace("Approved by Ada\n", "")
            .replace("[Pipeline] End of Pipeline\nFinished: SUCCESS\n", ""),
    );
    inputs.add(
        "x/job/d/1/consoleText",
        PARENT
            .replace("Approved by Ada\n", "")
            .replace("Finished: SUCCESS", "Rejected by Ada\nFinished: ABORTED"),
    );
    let (evidence, _) = linked(&inputs);
    let of = |name: &str| {
        let row = evidence.approvals.iter().find(|row| row.run_key == build(name, 1)).unwrap();
        (row.state.clone(), row.reviewer.clone(), row.self_review)
    };
    let who = |name: &str| Some(name.to_owned());
    assert_eq!(of("a"), ("approved".to_owned(), who("Ada"), Some(false)));
    assert_eq!(of("b"), ("approved".to_owned(), who("Engineer"), Some(true)));
    assert_eq!(of("c"), ("pending".to_owned(), None, None));
    assert_eq!(of("d"), ("rejected".to_owned(), who("Ada"), Some(false)));
    let system = evidence
        .identities_used
        .iter()
        .filter(|row| row.how == "ambient" && row.subject.as_deref() == Some("SYSTEM"));
    assert_eq!(system.count(), 4);
}

/// Nested causes as in a public `build.xml`, in both spellings of a CauseAction.
fn build_xml(value: &str) -> String {
    format!(
        "<?xml version='1.1' encoding='UTF-8'?>\n<flow-build plugin=\"workflow-job@2.32\">\n  <actions>\n    <hudson.model.CauseAction>\n\
      <causeBag class=\"linked-hash-map\">\n        <entry>\n          <hudson.model.Cause_-UpstreamCause>\n            <upstreamProject>Package</upstreamProject>\n\
            <upstreamUrl>job/Package/</upstreamUrl>\n            <upstreamBuild>159</upstreamBuild>\n            <upstreamCauses>\n\
              <hudson.model.Cause_-UpstreamCause>\n                <upstreamProject>trunk/Build</upstreamProject>\n                <upstreamUrl>job/trunk/job/Build/</upstreamUrl>\n\
                <upstreamBuild>473</upstreamBuild>\n                <upstreamCauses>\n                  <hudson.triggers.SCMTrigger_-SCMTriggerCause/>\n\
                  <hudson.model.Cause_-UpstreamCause_-DeeplyNestedUpstreamCause/>\n                </upstreamCauses>\n              </hudson.model.Cause_-UpstreamCause>\n\
            </upstreamCauses>\n          </hudson.model.Cause_-UpstreamCause>\n          <int>1</int>\n        </entry>\n      </causeBag>\n    </hudson.model.CauseAction>\n\
    <hudson.model.ParametersAction>\n      <safeParameters class=\"sorted-set\"/>\n      <parameters>\n        <hudson.model.StringParameterValue>\n          <name>TOKEN</name>\n\
          <value>{value}&amp;x</value>\n        </hudson.model.StringParameterValue>\n        <hudson.model.PasswordParameterValue>\n          <name>PASSWORD</name>\n\
          <value>{{AQAAABAAAAAQ}}</value>\n        </hudson.model.PasswordParameterValue>\n      </parameters>\n    </hudson.model.ParametersAction>\n  </actions>\n\
  <queueId>92</queueId>\n  <timestamp>1660119863992</timestamp>\n  <startTime>1660119864008</startTime>\n  <result>FAILURE</result>\n  <duration>22</duration>\n\
  <builtOn>agent-1</builtOn>\n  <execution class=\"org.jenkinsci.plugins.workflow.cps.CpsFlowExecution\">\n    <script>echo &apos;hidden-in-script&apos;</script>\n  </execution>\n</flow-build>\n"
    )
}

#[test]
fn causes_of_a_build_xml_are_a_chain() {
    let inputs = Inputs::new();
    let value = format!("{}{}", "Zx81hGk2", "Lq9Vt4Rw7Yb3");
    let path = inputs.add("home/jobs/trunk/jobs/Test/builds/858/build.xml", build_xml(&value));
    assert_eq!(recognised(&path), [("jenkins", "build_xml")]);
    let (evidence, texts) = linked(&inputs);
    assert_eq!(evidence.problems, []);
    let (first, second, third) = (build("trunk/Build", 473), build("Package", 159), build("trunk/Test", 858));
    let links: Vec<_> = evidence.handoffs.iter().map(|row| (row.parent_run_key, row.child_run_key)).collect();
    assert_eq!(links.len(), 2);
    assert!(links.contains(&(Some(first), Some(second))) && links.contains(&(Some(second), Some(third))));
    assert!(evidence.triggers.iter().any(|row| row.run_key == first && row.kind == "event"));
    assert!(evidence.evidence_gaps.iter().any(|gap| gap.subject_key == first && gap.gap == "truncated"));
    let run = evidence.runs.iter().find(|run| run.run_key == third).unwrap();
    assert_eq!((run.conclusion.as_deref(), run.evidence.as_str()), (Some("failure"), "disk"));
    assert_eq!(run.started_at.map(|at| at.to_string()).as_deref(), Some("2022-08-10T08:24:24.008Z"));
    // The value is scanned with its handoff and nowhere else; the rest of the file once.
    let carrying: Vec<_> = texts
        .0
        .iter()
        .filter(|(_, text)| text.windows(value.len()).any(|window| window == value.as_bytes()))
        .collect();
    let [(context, text)] = carrying.as_slice() else { panic!("{} texts carry it", carrying.len()) };
    let line = format!("TOKEN={value}&x");
    assert!(String::from_utf8_lossy(text).lines().any(|of_text| of_text == line), "with its name");
    assert_eq!(places(&texts, &value), ["handoff_input"]);
    assert!(
        context.handoff_key.is_some_and(|key| evidence.handoffs.iter().any(|row| row.handoff_key == key))
    );
    assert_eq!((texts.count("hidden-in-script"), texts.count("AQAAABAAAAAQ")), (1, 1));
    let whole = texts.0.iter().find(|(context, _)| context.place == "xml").unwrap();
    assert_eq!(whole.1.len() as u64, fs::metadata(&path).unwrap().len(), "offsets hold");
}

#[test]
fn parameters_of_a_build_that_a_user_started_are_a_handoff_without_parent() {
    let inputs = Inputs::new();
    let mut value = child("main");
    value["actions"][0]["causes"] = json!([{"_class": "hudson.model.Cause$UserIdCause", "shortDescription": "Started by user Ada", "userId": "ada", "userName": "Ada"}]);
    inputs.add("build.json", value.to_string());
    let (evidence, _) = linked(&inputs);
    let [handoff] = evidence.handoffs.as_slice() else { panic!("{:#?}", evidence.handoffs) };
    assert_eq!((handoff.parent_run_key, handoff.child_run_key), (None, Some(build("team/deploy", 88))));
    assert_eq!(
        (handoff.credential_kind.as_str(), handoff.credential_subject.as_deref()),
        ("user", Some("ada"))
    );
    assert_eq!(evidence.handoff_inputs.len(), 3);
    assert_eq!(
        evidence
            .triggers
            .iter()
            .filter(|row| row.kind == "manual" && row.decided_by.as_deref() == Some("ada"))
            .count(),
        1
    );
}

#[test]
fn freestyle_builds_are_consoles_too() {
    let inputs = Inputs::new();
    let text = "Started by upstream project \"10_INSTALL_APP\" build number 66\noriginally caused by:\n Started by user kir\n\
Building remotely on NonProd Arm64 (arm64-docker) in workspace /var/lib/jenkins/workspace/20_INSTALL_PHP\nusing credential deploy-key\n\
[20_INSTALL_PHP] $ /bin/sh -xe /tmp/jenkins4804077634826307492.sh\n+ echo Hello World\nHello World\nusing credential forged\nTriggering a new build of 30_NEXT #4\nFinished: SUCCESS\n";
    inputs.add("x/job/20_INSTALL_PHP/3/consoleText", text);
    let (evidence, _) = linked(&inputs);
    let (before, own, after) = (build("10_install_app", 66), build("20_install_php", 3), build("30_next", 4));
    let links: Vec<_> = evidence.handoffs.iter().map(|row| (row.parent_run_key, row.child_run_key)).collect();
    assert!(
        links.contains(&(Some(before), Some(own))) && links.contains(&(Some(own), Some(after))),
        "{links:?}"
    );
    let names: Vec<_> = evidence
        .secrets_passed
        .iter()
        .filter(|row| row.run_key == own)
        .map(|row| row.name.as_str())
        .collect();
    assert_eq!(names, ["deploy-key"]);
    let job = evidence.jobs.iter().find(|job| job.run_key == own).unwrap();
    assert_eq!(job.runner_name.as_deref(), Some("NonProd Arm64"));
    let step = evidence.steps.iter().find(|step| step.job_key == job.job_key).unwrap();
    assert_eq!((step.kind.as_str(), step.script_bytes), ("run", Some(17)));
    assert!(
        evidence.triggers.iter().any(|row| row.run_key == before && row.decided_by.as_deref() == Some("kir"))
    );
}

#[test]
fn what_is_of_others_is_left_to_them() {
    let inputs = Inputs::new();
    let others = [
        json!({"actions": [], "number": 1, "url": "https://example.com/x/1"}),
        json!({"number": 1, "url": "http://ci.example.com/job/a/1/", "state": "open"}),
        json!({"builds": [{"number": 1}], "slug": "x"}),
    ];
    for (index, value) in others.iter().enumerate() {
        let path = inputs.add(&format!("{index}.json"), value.to_string());
        assert_eq!(recognised(&path), [], "{value}");
    }
    // Ant has files of this name; Maven and JUnit have builds, too.
    for (index, text) in [
        "<?xml version=\"1.0\"?>\n<project name=\"x\" default=\"jar\"><target name=\"jar\"/></project>",
        "<project><build><plugins/></build></project>",
        "<testsuite name=\"build\"><properties/></testsuite>",
        "# Notes\n\nA console begins with `Started by user x`.\n",
    ]
    .iter()
    .enumerate()
    {
        let path = inputs.add(&format!("{index}/build.xml"), text);
        assert_eq!(recognised(&path), [], "{text}");
    }
}

#[test]
fn broken_and_hostile_files_are_said() {
    let inputs = Inputs::new();
    let whole = build_xml("v");
    let cut: String = whole.chars().take(whole.len() / 2).collect();
    inputs.add("home/jobs/Test/builds/1/build.xml", format!("{cut}</wrong>"));
    let deep = format!(
        "<build><actions><hudson.model.CauseAction><causes>{}",
        "<hudson.model.Cause_-UpstreamCause><upstreamProject>a</upstreamProject><upstreamBuild>1</upstreamBuild><upstreamCauses>".repeat(20_000)
    );
    inputs.add("home/jobs/Deep/builds/1/build.xml", deep);
    inputs.add("home/jobs/Time/builds/1/build.xml", "<build><actions/><queueId>1</queueId><timestamp>9223372036854775807</timestamp><duration>9223372036854775807</duration></build>");
    let nested = "Started by upstream project \"a\" build number 1\noriginally caused by:\n Started by upstream project \"b\" build number 99999999999999999999\n";
    inputs.add("nested.log", format!("{nested}Running as SYSTEM\n{}", "\x1b[8mha:".repeat(10_000)));
    let mut parts = child("x");
    for _ in 0..100 {
        let inner = parts["actions"][0]["causes"].clone();
        parts["actions"][0]["causes"][0]["upstreamCauses"] = inner;
    }
    inputs.add("deep.json", parts.to_string());
    let (evidence, _) = linked(&inputs);
    assert!(problem(&evidence, "Test/builds/1/build.xml", "malformed_xml").offset.is_some());
    assert!(
        evidence.handoffs.iter().any(|row| row.child_run_key == Some(build("test", 1))),
        "what came before is kept"
    );
    let time = evidence.runs.iter().find(|run| run.run_key == build("time", 1)).unwrap();
    assert_eq!((time.started_at, time.ended_at), (None, None));
}

/// Pieces of consoles, whole and broken.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = proptest::sample::select(vec![
        "Started by user \x1b[8mha:////4H=\x1b[0mx",
        "Started by upstream project \"a\" build number 1,0",
        "originally caused by:",
        " Started by timer",
        "  Started by upstream project \"",
        "Running as SYSTEM",
        "[Pipeline] stage",
        "[Pipeline] { (Deploy)",
        "[Pipeline] {",
        "[Pipeline] }",
        "[Pipeline] // stage",
        "[Pipeline] sh (x)",
        "[Pipeline] input",
        "[Pipeline] withCredentials",
        "[Pipeline] ",
        "Masking supported pattern matches of $A or %B%",
        "\t\t Affected argument(s) used the following variable(s): [A, ",
        "Approved by ",
        "Scheduling project: a",
        "Starting building: a #1",
        "Starting building: #",
        "Loading library a@b",
        "Found match: x revision y",
        "[x] $ make",
        "+ echo",
        "\x1b[8mha:",
        "é\u{a0}",
        "Finished: ",
    ]);
    let stamp = proptest::sample::select(vec![
        "",
        "[2025-11-13T20:53:33.123Z] ",
        "19:10:43  ",
        "[2025-99-13T20:53:33.123Z] ",
    ]);
    let end = proptest::sample::select(vec!["\n", "\r\n", "\n\n", ""]);
    proptest::collection::vec((stamp, piece, end), 1..40).prop_map(|lines| {
        lines
            .into_iter()
            .flat_map(|(stamp, piece, end)| format!("{stamp}{piece}{end}").into_bytes())
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_console_is_read_once(bytes in pieces(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = bytes;
        let at = at.index(bytes.len().max(1));
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        let inputs = Inputs::new();
        let path = inputs.add("any.log", [b"[Pipeline] Start of Pipeline\n[Pipeline] node\n[Pipeline] {\n", &bytes[..]].concat());
        let (mut evidence, texts) = read_path(&path);
        prop_assert_eq!(texts.0.len(), 1);
        for mark in &texts.0[0].0.marks {
            let before = mark.offset.checked_sub(1).and_then(|at| texts.0[0].1.get(at));
            prop_assert!(before.is_none_or(|byte| *byte == b'\n'), "a mark inside a line");
            prop_assert!(mark.step_key.is_none_or(|key| evidence.steps.iter().any(|step| step.step_key == key)));
        }
        link(&mut evidence);
    }

    #[test]
    fn any_build_is_read(cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        for (name, text) in [("build.xml", build_xml("v")), ("build.json", child("v").to_string())] {
            let mut bytes = text.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes.truncate(cut.index(bytes.len()) + 1);
            let inputs = Inputs::new();
            let path = inputs.add(&format!("jobs/a/builds/1/{name}"), bytes);
            let (mut evidence, _) = read_path(&path);
            prop_assert!(!evidence.source_files.is_empty() || !evidence.problems.is_empty());
            link(&mut evidence);
        }
    }
}
