//! The session of one visitor, as a browser and as others see it.

use super::assert_problem;
use crate::api::{Answer, Api};

const PATH: &str = "/api/session";

pub(super) async fn keeps_its_contract(api: &Api) {
    who_shows_nothing_has_no_session(api).await;
    a_session_lives_from_creation_to_deletion(api).await;
    ids_are_long_random_and_never_told(api).await;
    a_renewed_session_leaves_its_old_id_at_once(api).await;
    many_renewals_at_once_move_a_session_once(api).await;
    an_ended_session_is_never_brought_back(api).await;
    the_cookie_is_for_tls_where_the_client_came_over_tls(api).await;
    other_sites_cannot_act_for_a_visitor(api).await;
    other_methods_are_told_which_there_are(api).await;
}

/// The cookie an answer gives, as a browser would send it back.
fn given(answer: &Answer) -> String {
    assert_eq!(
        answer.headers.get_all("set-cookie").iter().count(),
        1,
        "{answer:?}"
    );
    let cookie = answer.header("set-cookie");
    cookie
        .split(';')
        .next()
        .expect("a cookie has a value")
        .to_owned()
}

async fn begin(api: &Api, headers: &[(&str, &str)]) -> Answer {
    let answer = api.request("POST", PATH, headers).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer
}

async fn with(api: &Api, method: &str, cookie: &str) -> Answer {
    api.request(method, PATH, &[("cookie", cookie)]).await
}

async fn visit(api: &Api, cookie: &str) {
    let page = api.request("GET", "/", &[("cookie", cookie)]).await;
    assert_eq!(
        (page.status, page.header("set-cookie")),
        (200, ""),
        "{page:?}"
    );
}

fn assert_no_session(answer: &Answer) {
    assert_problem(answer, 404);
    assert_eq!(answer.header("set-cookie"), "", "{answer:?}");
}

async fn who_shows_nothing_has_no_session(api: &Api) {
    assert_no_session(&api.get(PATH).await);
    let unknown = format!("session={}", "0".repeat(64));
    for cookie in [
        "session=",
        "session=x",
        "other=1",
        &unknown,
        &unknown.to_uppercase(),
    ] {
        assert_no_session(&with(api, "GET", cookie).await);
    }
    let ended = api.request("DELETE", PATH, &[]).await;
    assert_eq!(
        (ended.status, ended.header("set-cookie")),
        (204, ""),
        "{ended:?}"
    );
}

async fn a_session_lives_from_creation_to_deletion(api: &Api) {
    let begun = begin(api, &[]).await;
    let cookie = given(&begun);
    assert_eq!(begun.header("location"), PATH);
    assert_eq!(begun.header("cache-control"), "no-store");
    assert_eq!(
        begun.header("set-cookie"),
        format!("{cookie}; Path=/; HttpOnly; SameSite=Lax; Max-Age=43200")
    );
    let session = begun.json();
    assert_eq!(session["visits"], 0);
    let time = |name: &str| {
        let text = session[name].as_str().expect("a time");
        chrono::DateTime::parse_from_rfc3339(text)
            .expect("a time")
            .to_utc()
    };
    assert_eq!(
        time("expires_at") - time("created_at"),
        chrono::TimeDelta::minutes(30)
    );
    assert!((chrono::Utc::now() - time("created_at")).abs() < chrono::TimeDelta::minutes(1));

    let read = with(api, "GET", &cookie).await;
    assert_eq!(
        (read.status, read.header("set-cookie")),
        (200, ""),
        "{read:?}"
    );
    assert_eq!(read.json()["created_at"], session["created_at"]);
    let prolonged = read.json()["expires_at"]
        .as_str()
        .expect("a time")
        .to_owned();
    assert!(
        *prolonged >= *session["expires_at"].as_str().unwrap(),
        "reading is using"
    );

    let ended = with(api, "DELETE", &cookie).await;
    assert_eq!(ended.status, 204, "{ended:?}");
    assert_eq!(
        ended.header("set-cookie"),
        "session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
    );
    assert_no_session(&with(api, "GET", &cookie).await);
    assert_eq!(
        with(api, "DELETE", &cookie).await.status,
        204,
        "ending twice is ending"
    );
}

async fn ids_are_long_random_and_never_told(api: &Api) {
    let mut ids = std::collections::HashSet::new();
    for _ in 0..20 {
        let begun = begin(api, &[]).await;
        let id = given(&begun)
            .strip_prefix("session=")
            .expect("the name")
            .to_owned();
        assert_eq!(id.len(), 64, "256 bits in hexadecimal digits: {id}");
        assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        let read = with(api, "GET", &format!("session={id}")).await;
        assert!(
            !begun.body.contains(&id) && !read.body.contains(&id),
            "{read:?}"
        );
        assert!(
            !api.log().iter().any(|line| line.contains(&id)),
            "the log told it"
        );
        assert!(ids.insert(id), "an id came twice");
    }
}

async fn a_renewed_session_leaves_its_old_id_at_once(api: &Api) {
    let first = begin(api, &[]).await;
    let old = given(&first);
    for _ in 0..3 {
        visit(api, &old).await;
    }
    assert_eq!(with(api, "GET", &old).await.json()["visits"], 3);
    let renewed = begin(api, &[("cookie", &old)]).await;
    let new = given(&renewed);
    assert_ne!(old, new);
    assert_eq!(renewed.json()["visits"], 3, "visits move over");
    assert_eq!(
        renewed.json()["created_at"],
        first.json()["created_at"],
        "and so does its age"
    );
    assert_no_session(&with(api, "GET", &old).await);
    visit(api, &old).await;
    assert_eq!(with(api, "GET", &new).await.json()["visits"], 3);

    // A planted id, known to whoever planted it, is never the one that a visitor goes on with.
    let planted = format!("session={}", "ab".repeat(32));
    let begun = begin(api, &[("cookie", &planted)]).await;
    assert_ne!(given(&begun), planted);
    assert_no_session(&with(api, "GET", &planted).await);
}

async fn many_renewals_at_once_move_a_session_once(api: &Api) {
    let old = given(&begin(api, &[]).await);
    for _ in 0..2 {
        visit(api, &old).await;
    }
    let renewals = (0..20).map(|_| with(api, "POST", &old));
    let renewed = futures::future::join_all(renewals).await;
    let with_visits = renewed
        .iter()
        .filter(|answer| answer.json()["visits"] == 2)
        .count();
    let fresh = renewed
        .iter()
        .filter(|answer| answer.json()["visits"] == 0)
        .count();
    assert_eq!((with_visits, fresh), (1, 19), "{renewed:?}");
    assert_no_session(&with(api, "GET", &old).await);
}

async fn an_ended_session_is_never_brought_back(api: &Api) {
    for _ in 0..10 {
        let cookie = given(&begin(api, &[]).await);
        let uses = (0..10).map(|_| with(api, "GET", &cookie));
        let (ended, _) = futures::join!(
            with(api, "DELETE", &cookie),
            futures::future::join_all(uses)
        );
        assert_eq!(ended.status, 204);
        assert_no_session(&with(api, "GET", &cookie).await);
    }
}

async fn the_cookie_is_for_tls_where_the_client_came_over_tls(api: &Api) {
    let tls = ("x-forwarded-proto", "https");
    let begun = begin(api, &[tls]).await;
    let cookie = given(&begun);
    assert!(cookie.starts_with("__Host-session="), "{cookie}");
    assert_eq!(
        begun.header("set-cookie"),
        format!("{cookie}; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=43200")
    );
    let over_tls =
        async |method, cookie: &str| api.request(method, PATH, &[("cookie", cookie), tls]).await;
    assert_eq!(over_tls("GET", &cookie).await.status, 200);
    // Without the prefix, anybody on the way could have planted it.
    let unprefixed = cookie.replace("__Host-", "");
    assert_no_session(&over_tls("GET", &unprefixed).await);
    assert_no_session(&with(api, "GET", &cookie).await);
    assert_eq!(over_tls("DELETE", &cookie).await.status, 204);
}

async fn other_sites_cannot_act_for_a_visitor(api: &Api) {
    let cookie = given(&begin(api, &[]).await);
    let own = format!("http://{}", api.address);
    for header in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://elsewhere.example"),
        ("origin", "null"),
    ] {
        for method in ["POST", "DELETE"] {
            let answer = api
                .request(method, PATH, &[("cookie", &cookie), header])
                .await;
            assert_problem(&answer, 403);
            assert_eq!(answer.header("set-cookie"), "", "{answer:?}");
        }
    }
    assert_eq!(
        with(api, "GET", &cookie).await.status,
        200,
        "it is still there"
    );
    // A link from elsewhere is followed as the visitor, and changes nothing.
    let followed = [
        ("cookie", cookie.as_str()),
        ("sec-fetch-site", "cross-site"),
    ];
    assert_eq!(api.request("GET", PATH, &followed).await.status, 200);
    for header in [("sec-fetch-site", "same-origin"), ("origin", own.as_str())] {
        let renewed = api
            .request("POST", PATH, &[("cookie", &cookie), header])
            .await;
        assert_eq!(renewed.status, 201, "{header:?}: {renewed:?}");
    }
}

async fn other_methods_are_told_which_there_are(api: &Api) {
    for method in ["PUT", "PATCH", "OPTIONS"] {
        let answer = api.request(method, PATH, &[]).await;
        assert_problem(&answer, 405);
        let mut told: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
        told.sort_unstable();
        assert_eq!(told, ["DELETE", "GET", "HEAD", "POST"], "{method}");
    }
    let head = api.request("HEAD", PATH, &[]).await;
    assert_eq!((head.status, head.body.as_str()), (404, ""));
}
