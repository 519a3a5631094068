use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

fn counting(
    loads: &Arc<AtomicUsize>,
) -> impl FnOnce() -> futures::future::Ready<Result<String, StoreError>> + Send + 'static {
    let loads = Arc::clone(loads);
    move || {
        let load = loads.fetch_add(1, Ordering::Relaxed) + 1;
        futures::future::ready(Ok(format!("load {load}")))
    }
}

#[tokio::test]
async fn memory_keeps_a_value_for_its_lifetime_and_no_longer() {
    let cache = Cache::open(None, Metrics::new());
    let loads = Arc::default();
    let first = cache
        .fetch("key", DATA_LIFETIME, counting(&loads))
        .await
        .unwrap();
    assert_eq!(
        (first.value.text(), first.source),
        ("load 1", Source::Database)
    );
    let second = cache
        .fetch("key", DATA_LIFETIME, counting(&loads))
        .await
        .unwrap();
    assert_eq!(
        (second.value.text(), second.source),
        ("load 1", Source::Cache)
    );

    let short = Duration::from_millis(1);
    cache.fetch("short", short, counting(&loads)).await.unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while cache
        .fetch("short", short, counting(&loads))
        .await
        .unwrap()
        .source
        == Source::Cache
    {
        assert!(
            std::time::Instant::now() < deadline,
            "the value outlived its lifetime"
        );
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_answer_is_made_of_a_value_once() {
    let value = Value::new("text".to_owned());
    let made = AtomicUsize::new(0);
    for _ in 0..3 {
        let answer = value.answer(|text| {
            made.fetch_add(1, Ordering::Relaxed);
            format!("<{text}>").into()
        });
        assert_eq!(answer, "<text>");
    }
    assert_eq!(made.load(Ordering::Relaxed), 1);
}
