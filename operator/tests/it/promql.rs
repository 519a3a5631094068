//! Expressions that are scoped to a stack: printed and read again they are the same trees, and but for the stack's labels
//! they are those that were written.

use std::cell::Cell;

use operator::promql::{Error, NAMESPACE, STACK, Scope, read};
use promql_parser::label::Matchers;
use promql_parser::parser::{Expr, LabelModifier};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

/// Runs of the test.
const RUNS: u32 = 4_000;

fn words(words: &'static [&'static str]) -> BoxedStrategy<String> {
    select(words).prop_map(ToOwned::to_owned).boxed()
}

fn duration() -> BoxedStrategy<String> {
    words(&["30s", "5m", "1h30m", "2d", "1w", "90m", "250ms", "1y"])
}

/// A selector without a range; with strings that look like the language, and labels that look like ours.
fn selector() -> BoxedStrategy<String> {
    let name = words(&[
        "up",
        "app_requests_total",
        "job:a:rate5m",
        "by",
        "offset_x",
        "_a",
        "sum_x",
    ]);
    let value = words(&[
        "api",
        "",
        "a.*|b",
        r"5\\d\\d",
        r#"\"} or up{a=\""#,
        r"x\\\\y",
        "{{x}}",
        "é字",
        r"\n",
        "/health|/ready",
        "sum by (job) (up)",
    ]);
    let matcher = (
        words(&["job", "instance", "le", "code", "namespaces", "stack_name"]),
        words(&["=", "!=", "=~", "!~"]),
        value,
    )
        .prop_map(|(name, op, value)| format!("{name}{op}\"{value}\""));
    (name, proptest::collection::vec(matcher, 0..4))
        .prop_map(|(name, matchers)| match matchers.len() {
            0 => name,
            _ => format!("{name}{{{}}}", matchers.join(",")),
        })
        .boxed()
}

/// When it is asked for.
fn moment() -> BoxedStrategy<String> {
    prop_oneof![
        4 => Just(String::new()),
        1 => duration().prop_map(|duration| format!(" offset {duration}")),
        1 => duration().prop_map(|duration| format!(" offset -{duration}")),
        1 => words(&[" @ 1700000000.5", " @ start()", " @ end() offset 1m"]),
    ]
    .boxed()
}

fn labels(least: usize) -> BoxedStrategy<String> {
    proptest::collection::vec(words(&["job", "instance", "code", "le"]), least..3)
        .prop_map(|mut labels| {
            labels.sort();
            labels.dedup();
            labels.join(", ")
        })
        .boxed()
}

/// Expressions that make vectors, of every form that rules and dashboards are made of.
fn vector() -> BoxedStrategy<String> {
    let leaf = (selector(), moment()).prop_map(|(selector, moment)| selector + &moment);
    leaf.prop_recursive(4, 24, 3, |inner| {
        let range = prop_oneof![
            3 => (selector(), duration(), moment())
                .prop_map(|(selector, range, moment)| format!("{selector}[{range}]{moment}")),
            1 => (inner.clone(), duration(), duration(), moment())
                .prop_map(|(inner, range, step, moment)| format!("({inner})[{range}:{step}]{moment}")),
        ];
        let grouping = prop_oneof![
            1 => Just(String::new()),
            2 => labels(0).prop_map(|labels| format!("by ({labels})")),
            1 => labels(0).prop_map(|labels| format!("without ({labels})")),
        ];
        let matching = prop_oneof![
            2 => Just(String::new()),
            1 => labels(0).prop_map(|labels| format!("on ({labels})")),
            // `ignoring ()` is printed as nothing, which it is.
            1 => labels(1).prop_map(|labels| format!("ignoring ({labels})")),
        ];
        let set = words(&["and", "or", "unless"]);
        let arithmetic = words(&["+", "-", "*", "/", "%", "^", "==", "!=", "> bool", "<="]);
        let number = words(&["0", "0.001", "14.4", "5e8", "1e-9", "Inf", "-1"]);
        prop_oneof![
            (
                words(&["sum", "count", "avg", "max", "min", "group", "stddev"]),
                grouping.clone(),
                inner.clone()
            )
                .prop_map(|(op, grouping, inner)| format!("{op} {grouping} ({inner})")),
            (words(&["topk", "bottomk", "quantile"]), grouping, inner.clone())
                .prop_map(|(op, grouping, inner)| format!("{op} {grouping} (3, {inner})")),
            (
                words(&["rate", "increase", "changes", "resets", "avg_over_time"]),
                range
            )
                .prop_map(|(function, range)| format!("{function}({range})")),
            (words(&["abs", "sort", "timestamp", "hour"]), inner.clone())
                .prop_map(|(function, inner)| format!("{function}({inner})")),
            inner.clone().prop_map(|inner| format!("histogram_quantile(0.95, {inner})")),
            inner.clone().prop_map(|inner| {
                format!(r#"label_replace({inner}, "code", "$1", "job", "(.*)")"#)
            }),
            selector().prop_map(|selector| format!("absent({selector})")),
            (inner.clone(), set, matching.clone(), inner.clone())
                .prop_map(|(a, op, matching, b)| format!("({a}) {op} {matching} ({b})")),
            (inner.clone(), arithmetic.clone(), matching, inner.clone())
                .prop_map(|(a, op, matching, b)| format!("({a}) {op} {matching} ({b})")),
            (inner.clone(), arithmetic, number, inner.clone())
                .prop_map(|(a, op, number, b)| format!("({a}) {op} {number} * scalar({b})")),
            inner.clone().prop_map(|inner| format!("-{inner}")),
            inner.prop_map(|inner| format!("({inner})")),
        ]
    })
    .boxed()
}

#[test]
fn a_scoped_expression_is_the_one_that_was_written_with_the_stacks_labels() {
    let scope = Scope {
        namespace: "team".to_owned(),
        stack: "shop".to_owned(),
    };
    let (read_, refused) = (Cell::new(0_u32), Cell::new(0_u32));
    let mut runner = TestRunner::new(Config {
        cases: RUNS,
        failure_persistence: None,
        ..Config::default()
    });
    let result = runner.run(&vector(), |text| {
        // What the generator joins without knowing types is refused by the parser.
        let Ok(tree) = read(&text) else {
            refused.set(refused.get() + 1);
            return Ok(());
        };
        read_.set(read_.get() + 1);
        let scoped = scope.apply(&tree).unwrap();
        let printed = scoped.to_string();
        let mut again = read(&printed)
            .unwrap_or_else(|error| panic!("{text} became {printed}, which is {error}"));
        let mut sorted = scoped.clone();
        each(&mut sorted, &mut |_| {}, &mut |_, _| {});
        each(&mut again, &mut |_| {}, &mut |_, _| {});
        assert_eq!(again, sorted, "{text} became {printed}");
        let mut selectors = 0;
        let mut bare = again;
        strip(&mut bare, &mut selectors);
        let mut written = tree;
        let mut before = 0;
        plain(&mut written, &mut before);
        assert_eq!(bare, written, "{text} became {printed}");
        assert_eq!(selectors, before, "{text} became {printed}");
        // A second scope would take away the first one's meaning.
        assert!(matches!(scope.apply(&scoped), Err(Error::Taken(_))));
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
    assert!(
        read_.get() > RUNS / 2,
        "only {} of {} were read",
        read_.get(),
        read_.get() + refused.get()
    );
}

/// Takes the stack's labels away again; panics where they are missing.
fn strip(tree: &mut Expr, selectors: &mut usize) {
    let shorter = |labels: &mut Vec<String>| {
        assert_eq!(labels.pop().as_deref(), Some(STACK));
        assert_eq!(labels.pop().as_deref(), Some(NAMESPACE));
    };
    each(
        tree,
        &mut |matchers| {
            *selectors += 1;
            for ours in [r#"namespace="team""#, r#"stack="shop""#] {
                let all = matchers.matchers.len();
                matchers
                    .matchers
                    .retain(|matcher| matcher.to_string() != ours);
                assert_eq!(matchers.matchers.len() + 1, all, "{ours} is there once");
            }
        },
        &mut |modifier, grouping| match modifier {
            Some(LabelModifier::Include(names)) => shorter(&mut names.labels),
            None if grouping => panic!("an aggregation drops all labels"),
            _ => {}
        },
    );
}

/// Writes `sum(a)` as `sum by () (a)`, which is the same.
fn plain(tree: &mut Expr, selectors: &mut usize) {
    each(tree, &mut |_| *selectors += 1, &mut |modifier, grouping| {
        if grouping {
            modifier.get_or_insert_with(|| LabelModifier::include(Vec::new()));
        }
    });
}

/// Shows every selector, and what each operation does with labels (and whether it is an aggregation).
fn each(
    tree: &mut Expr,
    selector: &mut dyn FnMut(&mut Matchers),
    modifier: &mut dyn FnMut(&mut Option<LabelModifier>, bool),
) {
    // They are printed in order.
    let mut selector_ = |matchers: &mut Matchers| {
        matchers.matchers.sort_by_key(ToString::to_string);
        selector(matchers);
    };
    match tree {
        Expr::VectorSelector(vector) => selector_(&mut vector.matchers),
        Expr::MatrixSelector(matrix) => selector_(&mut matrix.vs.matchers),
        Expr::Aggregate(aggregate) => {
            modifier(&mut aggregate.modifier, true);
            if let Some(parameter) = &mut aggregate.param {
                each(parameter, selector, modifier);
            }
            each(&mut aggregate.expr, selector, modifier);
        }
        Expr::Binary(binary) => {
            if let Some(binary) = &mut binary.modifier {
                modifier(&mut binary.matching, false);
            }
            each(&mut binary.lhs, selector, modifier);
            each(&mut binary.rhs, selector, modifier);
        }
        Expr::Unary(unary) => each(&mut unary.expr, selector, modifier),
        Expr::Paren(paren) => each(&mut paren.expr, selector, modifier),
        Expr::Subquery(subquery) => each(&mut subquery.expr, selector, modifier),
        Expr::Call(call) => {
            for argument in &mut call.args.args {
                each(argument, selector, modifier);
            }
        }
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
    }
}
