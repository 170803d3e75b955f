//! Declared inputs of workflows and actions.

use crate::value::text;
use serde_json::Value;

/// One input or secret.
#[derive(Clone, Debug)]
struct Input {
    event: String,
    name: String,
    /// string, choice, boolean, number, environment, secret.
    kind: String,
    required: bool,
    options: Vec<String>,
}

/// All inputs of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Inputs(Vec<Input>);

impl Inputs {
    /// Inputs of `workflow_dispatch` and `workflow_call`, and the secrets of the latter.
    pub(super) fn of_events(events: &Value) -> Self {
        let mut inputs = Vec::new();
        for (event, of_event) in events.as_object().into_iter().flatten() {
            let members = |name: &str| of_event.get(name).and_then(Value::as_object).into_iter().flatten();
            for (name, input) in members("inputs") {
                inputs.push(Input::of(
                    event,
                    name,
                    input,
                    text(input, "/type").as_deref().unwrap_or("string"),
                ));
            }
            for (name, secret) in members("secrets") {
                inputs.push(Input::of(event, name, secret, "secret"));
            }
        }
        Self(inputs)
    }

    /// Inputs of an action, which are all text.
    pub(super) fn of_action(inputs: Option<&Value>) -> Self {
        let inputs = inputs.and_then(Value::as_object).into_iter().flatten();
        Self(inputs.map(|(name, input)| Input::of("action", name, input, "string")).collect())
    }

    /// `event.name:type[:required][:option|option]`.
    pub(super) fn declared(&self) -> Vec<String> {
        self.0.iter().map(Input::declared).collect()
    }

    /// Names of those that take any text.
    pub(super) fn free(&self) -> Vec<String> {
        let mut names: Vec<_> =
            self.0.iter().filter(|input| input.is_free()).map(|input| input.name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Whether an input of this name may hold any text: GitHub refuses a dispatch with another
    /// value for choices, booleans, numbers and environments. Undeclared ones may.
    pub(super) fn is_free(&self, name: &str) -> bool {
        let mut known = self.0.iter().filter(|input| input.name.eq_ignore_ascii_case(name)).peekable();
        known.peek().is_none() || known.any(Input::is_free)
    }
}

impl Input {
    fn of(event: &str, name: &str, value: &Value, kind: &str) -> Self {
        let options = value.get("options").and_then(Value::as_array).into_iter().flatten();
        Self {
            event: event.to_owned(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            required: value.get("required").and_then(Value::as_bool).unwrap_or(false),
            options: options.filter_map(|option| text(option, "")).collect(),
        }
    }

    fn declared(&self) -> String {
        let required = if self.required { ":required" } else { "" };
        let options =
            if self.options.is_empty() { String::new() } else { format!(":{}", self.options.join("|")) };
        format!("{}.{}:{}{required}{options}", self.event, self.name, self.kind)
    }

    fn is_free(&self) -> bool {
        self.kind == "string"
    }
}
