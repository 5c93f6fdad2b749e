//! What a rule may say. CEL has no loops but comprehensions, and the interpreter has no limit on
//! cost: with no comprehension inside another, a rule is linear in the cart.

use std::collections::BTreeSet;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, SelectExpr};

use crate::file::near;

pub(super) const CART: [&str; 6] = [
    "value_minor",
    "units",
    "lines",
    "categories",
    "brands",
    "currency",
];
pub(super) const LINE: [&str; 5] = ["item_id", "quantity", "price_minor", "category", "brand"];
const CONTEXT: [&str; 2] = ["channel", "attributes"];
const ROOTS: [&str; 4] = ["cart", "shopper", "context", "risk"];
const FUNCTIONS: [&str; 11] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "int",
    "uint",
    "double",
    "string",
    "bool",
    "has",
    "dyn",
];
const OPERATORS: [&str; 17] = [
    "_?_:_",
    "_&&_",
    "_||_",
    "!_",
    "_-_",
    "_+_",
    "_*_",
    "_/_",
    "_%_",
    "_==_",
    "_!=_",
    "_>=_",
    "_<=_",
    "_>_",
    "_<_",
    "-_",
    "@not_strictly_false",
];
/// Deeper syntax trees are refused: evaluation is recursive.
const MAX_DEPTH: usize = 64;

/// What some rule reads.
#[derive(Clone, Debug, Default)]
pub(super) struct Reads {
    pub(super) cart: BTreeSet<String>,
    pub(super) attributes: BTreeSet<String>,
    pub(super) channel: bool,
    /// Sorted.
    pub(super) shopper: Vec<String>,
}

impl Reads {
    pub(super) fn merge(&mut self, other: Reads) {
        self.cart.extend(other.cart);
        self.attributes.extend(other.attributes);
        self.channel |= other.channel;
        for name in other.shopper {
            self.note_shopper(&name);
        }
    }

    fn note_shopper(&mut self, name: &str) {
        if let Err(place) = self
            .shopper
            .binary_search_by(|known| known.as_str().cmp(name))
        {
            self.shopper.insert(place, name.to_owned());
        }
    }
}

/// Refuses text whose brackets, outside of strings, nest too deep for a recursive parser.
pub(super) fn nesting(source: &str, most: usize) -> Result<(), String> {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut escaped = false;
    for character in source.chars() {
        match (quote, character) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(character),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
        if depth > most {
            return Err(format!(
                "nests brackets deeper than {most}, which is the most allowed"
            ));
        }
    }
    Ok(())
}

/// Refuses what a rule must not say, and collects what it reads.
pub(super) fn check(expression: &IdedExpr) -> Result<Reads, String> {
    let mut checker = Checker::default();
    checker.expression(expression, 0)?;
    Ok(checker.reads)
}

#[derive(Default)]
struct Checker {
    reads: Reads,
    /// Variables of the comprehension around, and whether each is a line of the cart.
    locals: Vec<(String, bool)>,
}

impl Checker {
    fn expression(&mut self, node: &IdedExpr, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!(
                "nests deeper than {MAX_DEPTH}, which is the most allowed"
            ));
        }
        match &node.expr {
            Expr::Unspecified => Err("is not a whole expression".to_owned()),
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => self.select(select, depth),
            Expr::Call(call) => self.call(call, depth),
            Expr::List(list) => self.all(&list.elements, depth),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(pair) => {
                    self.expression(&pair.key, depth + 1)?;
                    self.expression(&pair.value, depth + 1)
                }
                EntryExpr::StructField(field) => self.expression(&field.value, depth + 1),
            }),
            Expr::Struct(_) => Err("makes a message, which rules may not".to_owned()),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension, depth),
        }
    }

    fn all(&mut self, nodes: &[IdedExpr], depth: usize) -> Result<(), String> {
        nodes
            .iter()
            .try_for_each(|node| self.expression(node, depth + 1))
    }

    /// A variable that stands alone. The maps may only be read field by field: their order is not
    /// defined, and a decision must be the same each time.
    fn variable(&self, name: &str) -> Result<(), String> {
        if name == "risk" || self.local(name).is_some() {
            return Ok(());
        }
        if ROOTS.contains(&name) {
            return Err(format!(
                "reads `{name}` as a whole; read a field, e.g. `{name}.…`"
            ));
        }
        Err(unknown("variable", name, &ROOTS))
    }

    fn local(&self, name: &str) -> Option<bool> {
        self.locals
            .iter()
            .rev()
            .find(|(local, _)| local == name)
            .map(|(_, is_line)| *is_line)
    }

    fn select(&mut self, select: &SelectExpr, depth: usize) -> Result<(), String> {
        self.field(&select.operand, &select.field, depth)
    }

    /// Reads `field` of `of`, written as `of.field` or `of["field"]`.
    fn field(&mut self, of: &IdedExpr, field: &str, depth: usize) -> Result<(), String> {
        if is_attributes(of) {
            self.reads.attributes.insert(field.to_owned());
            return Ok(());
        }
        let Expr::Ident(root) = &of.expr else {
            return self.expression(of, depth + 1);
        };
        match (self.local(root), root.as_str()) {
            (Some(true), _) => known("field of a line", field, &LINE),
            (Some(false), _) => Ok(()),
            (None, "cart") => {
                known("field of `cart`", field, &CART)?;
                self.reads.cart.insert(field.to_owned());
                Ok(())
            }
            (None, "shopper") => {
                self.reads.note_shopper(field);
                Ok(())
            }
            (None, "context") if field == "attributes" => {
                Err("reads `context.attributes` as a whole; read one, e.g. \
                     `context.attributes.campaign`"
                    .to_owned())
            }
            (None, "context") => {
                known("field of `context`", field, &CONTEXT)?;
                self.reads.channel = true;
                Ok(())
            }
            (None, _) => self.expression(of, depth + 1),
        }
    }

    fn call(&mut self, call: &CallExpr, depth: usize) -> Result<(), String> {
        match (call.func_name.as_str(), call.args.as_slice()) {
            ("_[_]", [of, index]) => self.index(of, index, depth),
            ("@in", [key, of]) if is_map(of) => match literal_text(key) {
                Some(name) => self.field(of, name, depth),
                None => Err("looks a name up that is not written out".to_owned()),
            },
            ("@in", args) => self.all(args, depth),
            (name, args) if OPERATORS.contains(&name) || FUNCTIONS.contains(&name) => {
                if let Some(target) = &call.target {
                    self.expression(target, depth + 1)?;
                }
                self.all(args, depth)
            }
            (name, _) => Err(unknown("function", name, &FUNCTIONS)),
        }
    }

    fn index(&mut self, of: &IdedExpr, index: &IdedExpr, depth: usize) -> Result<(), String> {
        match literal_text(index) {
            Some(field) => self.field(of, field, depth),
            None if is_map(of) => Err("looks a name up that is not written out".to_owned()),
            None => {
                self.expression(of, depth + 1)?;
                self.expression(index, depth + 1)
            }
        }
    }

    fn comprehension(&mut self, loops: &ComprehensionExpr, depth: usize) -> Result<(), String> {
        if !self.locals.is_empty() {
            return Err(
                "puts one all, exists, map or filter inside another, which could take \
                        for ever on a large cart"
                    .to_owned(),
            );
        }
        let over_lines = match range(&loops.iter_range) {
            Some(over_lines) => over_lines,
            None => {
                return Err("walks something other than cart.lines, cart.categories, \
                            cart.brands or a written list"
                    .to_owned());
            }
        };
        // The range counts as inside, so that a written list cannot hold another comprehension.
        self.locals.push((loops.accu_var.clone(), false));
        self.expression(&loops.iter_range, depth + 1)?;
        self.locals.push((loops.iter_var.clone(), over_lines));
        self.locals
            .extend(loops.iter_var2.clone().map(|name| (name, false)));
        for part in [
            &loops.accu_init,
            &loops.loop_cond,
            &loops.loop_step,
            &loops.result,
        ] {
            self.expression(part, depth + 1)?;
        }
        self.locals.clear();
        Ok(())
    }
}

/// Whether a comprehension may walk this, and whether its elements are cart lines.
fn range(of: &IdedExpr) -> Option<bool> {
    match &of.expr {
        Expr::List(_) => Some(false),
        Expr::Select(select) => match (&select.operand.expr, select.field.as_str()) {
            (Expr::Ident(root), "lines") if root == "cart" => Some(true),
            (Expr::Ident(root), "categories" | "brands") if root == "cart" => Some(false),
            (_, _) => None,
        },
        Expr::Unspecified
        | Expr::Call(_)
        | Expr::Comprehension(_)
        | Expr::Ident(_)
        | Expr::Literal(_)
        | Expr::Map(_)
        | Expr::Struct(_) => None,
    }
}

fn is_attributes(node: &IdedExpr) -> bool {
    let Expr::Select(select) = &node.expr else {
        return false;
    };
    select.field == "attributes"
        && matches!(&select.operand.expr, Expr::Ident(root) if root == "context")
}

fn is_map(node: &IdedExpr) -> bool {
    is_attributes(node) || matches!(&node.expr, Expr::Ident(root) if root == "shopper")
}

fn literal_text(node: &IdedExpr) -> Option<&str> {
    let Expr::Literal(LiteralValue::String(text)) = &node.expr else {
        return None;
    };
    Some(text.inner())
}

fn known(what: &str, name: &str, allowed: &[&str]) -> Result<(), String> {
    if allowed.contains(&name) {
        Ok(())
    } else {
        Err(unknown(what, name, allowed))
    }
}

fn unknown(what: &str, name: &str, allowed: &[&str]) -> String {
    format!(
        "uses the unknown {what} `{name}`{}",
        near::hint(name, allowed)
    )
}
