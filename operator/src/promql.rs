//! Expressions of `PromQL` that look at one stack and no other. [pure]
//!
//! Rules and dashboards are written for one stack (Compose has no other). On Kubernetes, one Prometheus scrapes many:
//! each selector gets the stack's labels, and so does whatever drops or compares labels, so that every result still says
//! whose it is. This is done on syntax trees: a replacement in text would miss some selectors and hit some strings.

use promql_parser::label::{Labels as LabelNames, MatchOp, Matcher};
use promql_parser::parser::value::ValueType;
use promql_parser::parser::{
    AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorSelector, parse,
};

use crate::foreign::Labels;

/// Label that prometheus-operator gives each target: the namespace it is in.
pub const NAMESPACE: &str = "namespace";
/// Label that our `ServiceMonitors` give each target: the stack it belongs to.
pub const STACK: &str = "stack";

/// The labels that tell one stack's series from all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Where the stack is.
    pub namespace: String,
    /// Its name.
    pub stack: String,
}

/// Why an expression cannot be scoped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is no `PromQL`.
    #[error("not PromQL: {0}")]
    Syntax(String),
    /// It names one of the labels itself: it was not written for one stack.
    #[error("names the label {0}, which is set per stack")]
    Taken(String),
    /// A part of it makes a vector that no stack's series go into.
    #[error("{0} makes a vector without the stack's labels")]
    Unlabelled(String),
}

/// Stand for a namespace and a stack in what is scoped before either is known. Neither can be called so: their names are in
/// lower case.
const MARKS: [&str; 2] = ["NAMESPACE-TO-COME", "STACK-TO-COME"];

impl Scope {
    /// One with marks for names: what is scoped to it once is filled in for each stack.
    pub fn to_come() -> Self {
        let [namespace, stack] = MARKS.map(str::to_owned);
        Self { namespace, stack }
    }

    /// A text that was made for `to_come`, with this scope's names. They are DNS labels (`validate`), so that they need no
    /// quoting, in whatever the text is.
    pub fn fill(&self, text: &str) -> String {
        let [namespace, stack] = MARKS;
        text.replace(namespace, &self.namespace)
            .replace(stack, &self.stack)
    }

    /// Both, as labels of a rule.
    pub fn labels(&self) -> Labels {
        self.pairs()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    /// The same expression, of this stack alone.
    ///
    /// Each vector in it, and so the result, carries both labels with this stack's values. That is what keeps its
    /// meaning: labels that are the same on all sides change no grouping and no matching.
    pub fn apply(&self, expression: &Expr) -> Result<Expr, Error> {
        let mut scoped = expression.clone();
        self.walk(&mut scoped)?;
        Ok(scoped)
    }

    fn pairs(&self) -> [(&'static str, &str); 2] {
        [(NAMESPACE, &self.namespace), (STACK, &self.stack)]
    }

    fn walk(&self, expression: &mut Expr) -> Result<(), Error> {
        match expression {
            Expr::VectorSelector(selector) => self.selector(selector),
            Expr::MatrixSelector(selector) => self.selector(&mut selector.vs),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate),
            Expr::Binary(binary) => self.binary(binary),
            Expr::Call(call) => self.call(call),
            Expr::Unary(unary) => self.walk(&mut unary.expr),
            Expr::Paren(paren) => self.walk(&mut paren.expr),
            Expr::Subquery(subquery) => self.walk(&mut subquery.expr),
            Expr::NumberLiteral(_) => Ok(()),
            // Functions write to the labels that such texts name.
            Expr::StringLiteral(text) => free(&text.val),
            Expr::Extension(_) => Err(Error::Unlabelled(expression.to_string())),
        }
    }

    fn selector(&self, selector: &mut VectorSelector) -> Result<(), Error> {
        let matchers = &mut selector.matchers;
        // The parser knows a language that has more than Prometheus'.
        if !matchers.or_matchers.is_empty() {
            return Err(Error::Syntax(selector.to_string()));
        }
        for matcher in &matchers.matchers {
            free(&matcher.name)?;
        }
        let ours = self.pairs();
        matchers
            .matchers
            .extend(ours.map(|(name, value)| Matcher::new(MatchOp::Equal, name, value)));
        Ok(())
    }

    /// `by` drops what it does not name, and no modifier means `by ()`; `without` keeps our labels.
    fn aggregate(&self, aggregate: &mut AggregateExpr) -> Result<(), Error> {
        if let Some(parameter) = &mut aggregate.param {
            self.walk(parameter)?;
        }
        let modifier = aggregate
            .modifier
            .get_or_insert_with(|| LabelModifier::Include(LabelNames::new(Vec::new())));
        widen(modifier)?;
        self.walk(&mut aggregate.expr)
    }

    /// `on` compares what it names and keeps nothing else; without it, and with `ignoring`, our labels are compared.
    fn binary(&self, binary: &mut BinaryExpr) -> Result<(), Error> {
        if let Some(modifier) = &mut binary.modifier {
            if let Some(matching) = &mut modifier.matching {
                widen(matching)?;
            }
            for name in modifier
                .card
                .labels()
                .iter()
                .flat_map(|names| &names.labels)
            {
                free(name)?;
            }
        }
        self.walk(&mut binary.lhs)?;
        self.walk(&mut binary.rhs)
    }

    fn call(&self, call: &mut Call) -> Result<(), Error> {
        let labelled = match call.func.name {
            // Their result has the labels that a selector asks to be equal, and none where they are given anything else.
            "absent" | "absent_over_time" => {
                call.args.args.iter().all(|argument| is_selector(argument))
            }
            // It joins with series that have labels of their own.
            "info" => false,
            _ => {
                call.func.return_type != ValueType::Vector
                    || call.args.args.iter().any(|argument| is_vector(argument))
            }
        };
        if !labelled {
            return Err(Error::Unlabelled(call.to_string()));
        }
        let mut arguments = call.args.args.iter_mut();
        arguments.try_for_each(|argument| self.walk(argument))
    }
}

/// Reads an expression.
pub fn read(text: &str) -> Result<Expr, Error> {
    parse(text).map_err(Error::Syntax)
}

/// Adds our labels to those that are kept or compared.
fn widen(modifier: &mut LabelModifier) -> Result<(), Error> {
    for name in &modifier.labels().labels {
        free(name)?;
    }
    match modifier {
        LabelModifier::Include(names) => names
            .labels
            .extend([NAMESPACE, STACK].map(ToOwned::to_owned)),
        LabelModifier::Exclude(_) => {}
    }
    Ok(())
}

fn free(name: &str) -> Result<(), Error> {
    if [NAMESPACE, STACK].contains(&name) {
        return Err(Error::Taken(name.to_owned()));
    }
    Ok(())
}

fn is_vector(expression: &Expr) -> bool {
    matches!(
        expression.value_type(),
        ValueType::Vector | ValueType::Matrix
    )
}

fn is_selector(expression: &Expr) -> bool {
    match expression {
        Expr::VectorSelector(_) | Expr::MatrixSelector(_) => true,
        Expr::Paren(paren) => is_selector(&paren.expr),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, Scope, read};

    fn scoped(text: &str) -> Result<String, Error> {
        let scope = Scope {
            namespace: "team".to_owned(),
            stack: "shop".to_owned(),
        };
        Ok(scope.apply(&read(text)?)?.to_string())
    }

    const OURS: &str = r#"namespace="team",stack="shop""#;

    fn becomes(text: &str, expected: &str) {
        let expected = expected.replace("OURS", OURS);
        assert_eq!(scoped(text).as_deref(), Ok(expected.as_str()), "{text}");
    }

    #[test]
    fn every_selector_is_scoped_wherever_it_is() {
        becomes("up", "up{OURS}");
        becomes(r#"{job="api"}"#, r#"{job="api",OURS}"#);
        becomes("up[5m] offset 1h", "up{OURS}[5m] offset 1h");
        becomes("up @ 12.5", "up{OURS} @ 12.500");
        becomes(
            "max_over_time(rate(a[5m])[1h:30s] @ end())",
            "max_over_time(rate(a{OURS}[5m])[1h:30s] @ end())",
        );
        becomes("-(a)", "-(a{OURS})");
        becomes("job:a:rate5m", "job:a:rate5m{OURS}");
        becomes(
            "topk(scalar(a), b)",
            "topk by (namespace, stack) (scalar(a{OURS}), b{OURS})",
        );
    }

    #[test]
    fn a_string_that_looks_like_a_selector_is_left_alone() {
        becomes(
            r#"label_replace(a{x="up{job=\"api\"}"}, "y", "sum by (job)", "x", ".*")"#,
            r#"label_replace(a{OURS,x="up{job=\"api\"}"}, "y", "sum by (job)", "x", ".*")"#,
        );
    }

    #[test]
    fn what_drops_labels_keeps_ours() {
        becomes(
            "sum by (job) (a)",
            "sum by (job, namespace, stack) (a{OURS})",
        );
        becomes("sum(a)", "sum by (namespace, stack) (a{OURS})");
        becomes(
            "sum without (instance) (a)",
            "sum without (instance) (a{OURS})",
        );
        becomes(
            "a and on (job) b",
            "a{OURS} and on (job, namespace, stack) b{OURS}",
        );
        becomes(
            "a / ignoring (code) group_left (x) b",
            "a{OURS} / ignoring (code) group_left (x) b{OURS}",
        );
        becomes("a / b > 0.5", "a{OURS} / b{OURS} > 0.5");
        becomes(r#"absent(up{job="api"})"#, r#"absent(up{job="api",OURS})"#);
    }

    #[test]
    fn names_that_come_later_make_the_same_expression() {
        let now = Scope {
            namespace: "team".to_owned(),
            stack: "shop".to_owned(),
        };
        for text in [
            "up",
            r#"sum by (job) (rate(a{job="api",z=~"b|c"}[5m])) / on (job) absent(b)"#,
            r#"label_replace(a, "y", "NAMESPACE", "x", "b")"#,
        ] {
            let tree = read(text).unwrap();
            let later = Scope::to_come().apply(&tree).unwrap().to_string();
            assert_eq!(now.fill(&later), now.apply(&tree).unwrap().to_string());
        }
    }

    #[test]
    fn what_would_lose_the_stack_is_refused() {
        for text in [
            "vector(0)",
            "count(a) or vector(0)",
            "absent(sum(a))",
            "absent_over_time(a[5m:1m])",
            "hour()",
        ] {
            assert!(
                matches!(scoped(text), Err(Error::Unlabelled(_))),
                "{text}: {:?}",
                scoped(text)
            );
        }
        for text in [
            r#"up{namespace="other"}"#,
            r#"up{stack!=""}"#,
            "sum by (stack) (a)",
            "sum without (stack) (a)",
            "a and on (namespace) b",
            "a and ignoring (stack) b",
            "a * on (job) group_left (stack) b",
            r#"label_replace(a, "stack", "other", "job", ".*")"#,
            r#"count_values("namespace", a)"#,
        ] {
            assert!(
                matches!(scoped(text), Err(Error::Taken(_))),
                "{text}: {:?}",
                scoped(text)
            );
        }
        assert!(matches!(scoped("sum("), Err(Error::Syntax(_))));
        assert!(matches!(
            scoped(r#"{a="b" or c="d"}"#),
            Err(Error::Syntax(_))
        ));
    }
}
