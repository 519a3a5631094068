use super::*;
use futures::future::{FutureExt, pending, ready};

/// What a broken engine does on a lookup.
#[derive(Clone, Copy)]
enum Fault {
    Hangs,
    Refuses,
    Lies,
    TooLong,
}

struct Broken {
    fault: Fault,
}

impl Backend for Broken {
    fn engine(&self) -> &'static str {
        "broken"
    }

    fn get<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<String>, BackendError>> {
        match self.fault {
            Fault::Hangs => pending().boxed(),
            Fault::Refuses => ready(Err(BackendError::Unavailable("connection"))).boxed(),
            Fault::Lies => ready(Err(BackendError::Unusable)).boxed(),
            Fault::TooLong => ready(Ok(Some("x".repeat(LONGEST_VALUE + 1)))).boxed(),
        }
    }

    fn set<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        _: Duration,
    ) -> BoxFuture<'a, Result<(), BackendError>> {
        match self.fault {
            Fault::Hangs => pending().boxed(),
            _ => ready(Err(BackendError::Unavailable("connection"))).boxed(),
        }
    }

    fn condition(&self) -> Condition {
        Condition::Down
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        ready(()).boxed()
    }
}

fn broken(fault: Fault) -> (Cache, Metrics) {
    let metrics = Metrics::new();
    let backend = Broken { fault };
    let cache = Cache {
        backend: Arc::new(backend),
        deadline: Duration::from_millis(50),
        metrics: metrics.clone(),
    };
    (cache, metrics)
}

#[tokio::test]
async fn whatever_breaks_is_a_miss_and_a_count() {
    for (fault, lookup, kind) in [
        (Fault::Hangs, Lookup::Unavailable, "timeout"),
        (Fault::Refuses, Lookup::Unavailable, "connection"),
        (Fault::Lies, Lookup::Miss, "value"),
        (Fault::TooLong, Lookup::Miss, "value"),
    ] {
        let (cache, metrics) = broken(fault);
        assert_eq!(cache.get("key").await, lookup, "{kind}");
        let text = metrics.encode();
        let errors =
            format!(r#"app_dependency_errors_total{{dependency="cache",kind="{kind}"}} 1"#);
        assert!(text.contains(&errors), "{errors} is missing in\n{text}");
        assert!(
            text.contains(r#"app_cache_requests_total{result="error"} 1"#),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_write_ends_within_the_deadline_whatever_happens() {
    for fault in [Fault::Hangs, Fault::Refuses] {
        let (cache, metrics) = broken(fault);
        let write = cache.set("key", "value", DATA_LIFETIME);
        let bound = Duration::from_secs(10);
        timeout(bound, write)
            .await
            .expect("a write gives up by itself");
        assert!(
            metrics
                .encode()
                .contains(r#"app_dependency_errors_total{dependency="cache""#)
        );
    }
}

#[tokio::test]
async fn memory_keeps_a_value_for_its_lifetime_and_no_longer() {
    let cache = Cache::open(&CacheConfig::Memory, Metrics::new()).unwrap();
    assert_eq!(cache.get("key").await, Lookup::Miss);
    cache.set("key", "value", DATA_LIFETIME).await;
    assert_eq!(cache.get("key").await, Lookup::Hit("value".into()));
    cache.set("key", "short", Duration::from_millis(1)).await;
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while cache.get("key").await != Lookup::Miss {
        assert!(
            std::time::Instant::now() < deadline,
            "the value outlived its lifetime"
        );
        tokio::task::yield_now().await;
    }
}
