//! What a scrape holds.

use super::*;
use axum::http::{Method as HttpMethod, StatusCode};

fn counted(path: &str, method: &str, status: u16) -> (Endpoint, Method, Outcome) {
    (
        Endpoint::of(path),
        Method::from(&HttpMethod::from_bytes(method.as_bytes()).unwrap()),
        Outcome::from(StatusCode::from_u16(status).unwrap()),
    )
}

#[test]
fn the_course_series_are_there_with_their_labels_and_buckets() {
    let metrics = Metrics::new();
    let (endpoint, method, outcome) = counted("/api/data", "GET", 200);
    metrics.request(endpoint, method, outcome, Duration::from_millis(300));
    let text = metrics.encode(Format::Text);
    let series = r#"app_requests_total{endpoint="/api/data",method="GET",status="200"} 1"#;
    assert!(text.contains(series), "{text}");
    for (bucket, count) in [
        ("0.1", 0),
        ("0.5", 1),
        ("1", 1),
        ("2", 1),
        ("5", 1),
        ("+Inf", 1),
    ] {
        let series = format!(
            "app_request_latency_seconds_bucket{{endpoint=\"/api/data\",le=\"{bucket}\"}} {count}\n"
        );
        assert!(text.contains(&series), "{series} is missing in\n{text}");
    }
    let sum = "app_request_latency_seconds_sum{endpoint=\"/api/data\"} 0.3\n";
    assert!(text.contains(sum), "{text}");
    assert!(
        !cfg!(target_os = "linux") || text.contains("\nprocess_resident_memory_bytes "),
        "no process metrics in\n{text}"
    );
}

#[test]
fn what_a_rate_needs_exists_before_the_first_lookup() {
    let text = Metrics::new().encode(Format::Text);
    for series in [
        r#"app_cache_requests_total{result="hit"} 0"#,
        r#"app_cache_requests_total{result="miss"} 0"#,
        r#"app_cache_requests_total{result="error"} 0"#,
        r#"app_cache_hits_total{level="memory"} 0"#,
        r#"app_cache_hits_total{level="redis"} 0"#,
        r#"app_breaker_state{dependency="cache"} 0"#,
        "app_single_flight_waits_total 0",
    ] {
        assert!(text.contains(series), "{series} is missing in\n{text}");
    }
}

#[test]
fn a_hit_counts_once_and_at_its_level() {
    let metrics = Metrics::new();
    metrics.cache_lookup(CacheLevel::Memory, CacheResult::Hit);
    metrics.cache_lookup(CacheLevel::Redis, CacheResult::Hit);
    metrics.cache_lookup(CacheLevel::Redis, CacheResult::Miss);
    let text = metrics.encode(Format::Text);
    for series in [
        r#"app_cache_requests_total{result="hit"} 2"#,
        r#"app_cache_requests_total{result="miss"} 1"#,
        r#"app_cache_hits_total{level="memory"} 1"#,
        r#"app_cache_hits_total{level="redis"} 1"#,
    ] {
        assert!(text.contains(series), "{series} is missing in\n{text}");
    }
}

#[test]
fn the_pool_is_asked_at_each_scrape() {
    let metrics = Metrics::new();
    assert!(!metrics.encode(Format::Text).contains("app_db_pool"));
    let used = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&used);
    metrics.watch_pool(10, move || PoolUse {
        idle: 1,
        used: u32::try_from(seen.load(Relaxed)).unwrap(),
    });
    metrics.pool_acquired(Duration::from_micros(50));
    metrics.pool_shed();
    used.store(7, Relaxed);
    let text = metrics.encode(Format::Text);
    for series in [
        r#"app_db_pool_connections{state="idle"} 1"#,
        r#"app_db_pool_connections{state="used"} 7"#,
        "app_db_pool_max 10",
        r#"app_db_pool_acquire_seconds_bucket{le="0.0001"} 1"#,
        "app_db_pool_acquire_seconds_sum 0.00005\n",
        "app_db_pool_acquire_seconds_count 1",
        "app_db_pool_shed_total 1",
    ] {
        assert!(text.contains(series), "{series} is missing in\n{text}");
    }
}

#[test]
fn whatever_is_asked_the_number_of_series_is_bounded() {
    let metrics = Metrics::new();
    let lines = |metrics: &Metrics| metrics.encode(Format::Text).lines().count();
    let at_rest = lines(&metrics);
    for number in 0..20_000_u32 {
        let path = format!(
            "/{}/{number:x}",
            Endpoint::ALL[number as usize % Endpoint::COUNT].path()
        );
        let method = format!("M{number}");
        let status = 100 + u16::try_from(number % 900).unwrap();
        let (endpoint, method, outcome) = counted(&path, &method, status);
        metrics.request(
            endpoint,
            method,
            outcome,
            Duration::from_nanos(number.into()),
        );
    }
    // One endpoint, one method, every outcome but `cancelled`; and one histogram.
    let most = Outcome::COUNT - 1 + REQUEST_BOUNDS.len() + 3;
    assert!(
        lines(&metrics) - at_rest <= most,
        "{}",
        metrics.encode(Format::Text)
    );
}
