//! Eligibility rules in CEL: compiled once, checked when the file is read, evaluated once a cart.
//!
//! No rule depends on an arm, so each distinct expression is evaluated once per decision however
//! many arms share it, and the values that rules see are built once, from those fields only that
//! some rule reads.

mod check;
mod context;

use std::sync::Arc;

use cel::parser::Parser;
use cel::{Env, ExecutionError, Program, Value};

use crate::Inputs;
use check::Reads;

/// Rules longer than this are refused. The longest rule that reads well is a third of it.
pub(crate) const MAX_LENGTH: usize = 1000;
/// Brackets deeper than this are refused before parsing: the parser is recursive.
const MAX_BRACKETS: usize = 16;
/// Depth of grammar rules that the parser may reach. Each takes stack.
const MAX_RECURSION: u16 = 24;
const MAX_SAID: usize = 200;

/// What rules see of the decision beyond its inputs: the risk after clamping, and the channel after
/// the policy's default.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Moment<'a> {
    pub(crate) risk: f64,
    pub(crate) channel: &'a str,
}

/// All rules of a policy.
pub(crate) struct Rules {
    env: Arc<Env>,
    rules: Vec<Rule>,
    reads: Reads,
}

struct Rule {
    source: String,
    program: Program,
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.rules.iter().map(|rule| &rule.source))
            .finish()
    }
}

impl Rules {
    pub(crate) fn new() -> Self {
        let env = Arc::new(Env::stdlib());
        Self {
            env,
            rules: Vec::new(),
            reads: Reads::default(),
        }
    }

    /// Compiles and checks a rule; equal rules share one position.
    pub(crate) fn add(&mut self, source: &str) -> Result<usize, String> {
        if let Some(known) = self.rules.iter().position(|rule| rule.source == source) {
            return Ok(known);
        }
        let program = compile(source)?;
        let reads = check::check(program.expression())?;
        self.probe(&program, &reads)?;
        self.reads.merge(reads);
        self.rules.push(Rule {
            source: source.to_owned(),
            program,
        });
        Ok(self.rules.len() - 1)
    }

    /// Names of the shopper features that rules read, sorted.
    pub(crate) fn shopper_features(&self) -> &[String] {
        &self.reads.shopper
    }

    /// Whether each rule holds; `Err` says why not.
    pub(crate) fn evaluate(&self, inputs: &Inputs, moment: Moment<'_>) -> Vec<Result<(), String>> {
        if self.rules.is_empty() {
            return Vec::new();
        }
        let context = context::build(&self.env, &self.reads, inputs, moment);
        self.rules
            .iter()
            .map(|rule| rule.verdict(rule.program.execute(&context)))
            .collect()
    }

    /// Evaluates the rule on sample carts: what is wrong with its types shows here and not in the
    /// middle of a decision. Errors that depend on values, such as a division by zero, pass.
    fn probe(&self, program: &Program, reads: &Reads) -> Result<(), String> {
        for inputs in context::samples(reads) {
            let moment = Moment {
                risk: inputs.risk,
                channel: &inputs.channel,
            };
            let context = context::build(&self.env, reads, &inputs, moment);
            match program.execute(&context) {
                Ok(Value::Bool(_)) => {}
                Ok(other) => return Err(not_boolean(&other)),
                Err(error) if depends_on_values(&error) => {}
                Err(error) => return Err(format!("cannot be evaluated: {}", said(&error))),
            }
        }
        Ok(())
    }
}

impl Rule {
    fn verdict(&self, result: Result<Value, ExecutionError>) -> Result<(), String> {
        match result {
            Ok(Value::Bool(true)) => Ok(()),
            Ok(Value::Bool(false)) => Err(format!("its rule does not hold: {}", self.source)),
            Ok(other) => Err(format!("its rule {}: {}", not_boolean(&other), self.source)),
            Err(error) => Err(format!(
                "its rule cannot be evaluated ({}): {}",
                said(&error),
                self.source
            )),
        }
    }
}

fn compile(source: &str) -> Result<Program, String> {
    if source.trim().is_empty() {
        return Err("is empty; leave the key out when the arm has no rule".to_owned());
    }
    if source.len() > MAX_LENGTH {
        return Err(format!(
            "is {} bytes long, at most {MAX_LENGTH} are allowed",
            source.len()
        ));
    }
    check::nesting(source, MAX_BRACKETS)?;
    // `Program` can only be made by `Program::compile`, whose parser allows a depth that does not
    // fit a small stack; the same text is parsed with the lower limit first.
    let parser = Parser::default()
        .max_recursion_depth(MAX_RECURSION)
        .error_recovery_limit(1);
    parser.parse(source).map_err(|errors| syntax(&errors))?;
    Program::compile(source).map_err(|errors| syntax(&errors))
}

fn syntax(errors: &cel::ParseErrors) -> String {
    match errors.errors.first() {
        Some(error) => {
            format!(
                "is not valid CEL: {} (character {})",
                shorten(&error.msg),
                error.pos.1
            )
        }
        None => "is not valid CEL".to_owned(),
    }
}

fn not_boolean(value: &Value) -> String {
    format!(
        "gives a value of type {}, only true or false are allowed",
        value.type_of()
    )
}

fn said(error: &ExecutionError) -> String {
    shorten(&error.to_string())
}

/// Errors can quote whole carts.
fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(MAX_SAID) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

fn depends_on_values(error: &ExecutionError) -> bool {
    use ExecutionError as E;
    matches!(
        error,
        E::DivisionByZero(_)
            | E::RemainderByZero(_)
            | E::Overflow(..)
            | E::IndexOutOfBounds(_)
            | E::FunctionError { .. }
    )
}
