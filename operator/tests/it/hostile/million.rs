//! The same for a great many hosts: made without a library, so that they cost little.

use operator::desired::routes;
use operator::validate::validate;

use super::rule::parse;
use super::{HOSTILE, expected, tp_stack};

/// How many hosts are tried.
const HOSTS: usize = 1_000_000;
/// As many as one TpStack may have.
const TOGETHER: usize = 20;

/// Pieces of sound hosts.
const SOUND: &[&str] = &[
    "a",
    "b-c",
    "shop",
    "x1",
    "example",
    "org",
    "0",
    "metrics",
    "xn--fa-hia",
    "www",
    "api",
];

/// Numbers that look drawn and are the same in every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    /// One to five pieces with dots between them, and one time in two something hostile in some place.
    fn host(&mut self) -> String {
        let mut host = String::new();
        for piece in 0..=self.below(5) {
            if piece > 0 {
                host.push('.');
            }
            host.push_str(SOUND[self.below(SOUND.len())]);
        }
        for _ in 0..self.below(3).saturating_sub(self.below(2)) {
            let ends: Vec<usize> = host.char_indices().map(|(at, _)| at).collect();
            let place = ends.get(self.below(ends.len() + 1)).copied();
            host.insert_str(
                place.unwrap_or(host.len()),
                HOSTILE[self.below(HOSTILE.len())],
            );
        }
        host
    }
}

#[test]
fn of_a_million_hosts_none_adds_a_matcher() {
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let counts: Vec<(usize, usize)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (1..=threads)
            .map(|seed| scope.spawn(move || try_some(seed, HOSTS.div_ceil(threads))))
            .collect();
        let ended = workers.into_iter().map(std::thread::ScopedJoinHandle::join);
        ended.map(Result::unwrap).collect()
    });
    let accepted: usize = counts.iter().map(|(accepted, _)| accepted).sum();
    let refused: usize = counts.iter().map(|(_, refused)| refused).sum();
    assert!(
        accepted + refused >= HOSTS && accepted > HOSTS / 5 && refused > HOSTS / 5,
        "{accepted} accepted, {refused} refused: too one-sided to show anything"
    );
}

/// Tries that many hosts: each by itself, and those that are accepted together in rules.
fn try_some(seed: usize, count: usize) -> (usize, usize) {
    let mut draw = Draw(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(u64::try_from(seed).unwrap()));
    let mut stack = tp_stack("shop", &[], "websecure", "tls");
    let (mut accepted, mut sound) = (0, Vec::new());
    for _ in 0..count {
        let host = draw.host();
        stack.spec.ingress.as_mut().unwrap().hosts = vec![host.clone()];
        if validate(&stack).is_ok() {
            accepted += 1;
            sound.push(host);
        }
        if sound.len() == TOGETHER {
            check(&sound);
            sound.clear();
        }
    }
    (accepted, count - accepted)
}

fn check(hosts: &[String]) {
    let named: Vec<&String> = hosts.iter().collect();
    for (rule, is_for_metrics) in [
        (routes::rule(hosts), false),
        (routes::metrics_rule(hosts), true),
    ] {
        assert_eq!(
            parse(&rule),
            Some(expected(&named, is_for_metrics)),
            "{rule}"
        );
    }
}
