//! Entity tags: who knows a version already, and which version a change is meant for.

use super::{
    assert_problem,
    items::{JSON, made, unique},
};
use crate::api::Api;
use serde_json::json;

pub(super) async fn protect_from_lost_changes(api: &Api) {
    a_change_of_the_version_that_was_read_is_made(api).await;
    a_change_of_another_version_is_not(api).await;
    of_many_changes_of_one_version_one_is_made(api).await;
    who_knows_the_version_is_not_sent_it(api).await;
    conditions_that_make_no_sense_are_refused(api).await;
}

fn body() -> String {
    json!({ "name": unique("changed") }).to_string()
}

async fn address(api: &Api) -> String {
    let created = made(api, &json!({ "name": unique("a") })).await;
    created.header("location").to_owned()
}

async fn a_change_of_the_version_that_was_read_is_made(api: &Api) {
    let item = address(api).await;
    for (version, tags) in [
        (2, "\"1\""),
        (3, "*"),
        (4, "\"7\" , \"3\""),
        (5, "W/\"4\",\"x\",, \"4\""),
    ] {
        let answer = api
            .send("PUT", &item, &[JSON, ("if-match", tags)], body())
            .await;
        assert_eq!(answer.status, 200, "{tags}: {answer:?}");
        assert_eq!(answer.header("etag"), format!("\"{version}\""));
        assert_eq!(answer.json()["version"], version);
    }
    let lines = [JSON, ("if-match", "\"1\""), ("if-match", "\"5\"")];
    assert_eq!(
        api.send("PUT", &item, &lines, body()).await.status,
        200,
        "two lines are one list"
    );
    let deleted = api.request("DELETE", &item, &[("if-match", "\"6\"")]).await;
    assert_eq!(deleted.status, 204, "{deleted:?}");
}

async fn a_change_of_another_version_is_not(api: &Api) {
    let item = address(api).await;
    for tags in [
        "\"2\"",
        "W/\"1\"",
        "\"01\"",
        "\"\"",
        "\"0\", \"99999999999999999999\"",
    ] {
        let put = api
            .send("PUT", &item, &[JSON, ("if-match", tags)], body())
            .await;
        assert_problem(&put, 412);
        assert_problem(
            &api.request("DELETE", &item, &[("if-match", tags)]).await,
            412,
        );
    }
    let untouched = api.get(&item).await;
    assert_eq!(untouched.header("etag"), "\"1\"", "{untouched:?}");
    // There is nothing to protect where there is nothing.
    assert_eq!(api.request("DELETE", &item, &[]).await.status, 204);
    for tags in ["*", "\"1\""] {
        assert_problem(
            &api.request("DELETE", &item, &[("if-match", tags)]).await,
            404,
        );
    }
}

async fn of_many_changes_of_one_version_one_is_made(api: &Api) {
    let item = address(api).await;
    let attempt = async || {
        let headers = [JSON, ("if-match", "\"1\"")];
        api.send("PUT", &item, &headers, body()).await
    };
    let answers = futures::future::join_all((0..20).map(|_| attempt())).await;
    let won: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 200)
        .collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    for lost in answers.iter().filter(|answer| answer.status != 200) {
        assert_problem(lost, 412);
    }
    assert_eq!(api.get(&item).await.body, won[0].body);
}

async fn who_knows_the_version_is_not_sent_it(api: &Api) {
    let item = address(api).await;
    for (tags, status) in [
        ("\"1\"", 304),
        ("W/\"1\"", 304),
        ("\"7\", \"1\"", 304),
        ("*", 304),
        ("\"2\"", 200),
        ("\"01\"", 200),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = api.request(method, &item, &[("if-none-match", tags)]).await;
            assert_eq!(
                (answer.status, answer.header("etag")),
                (status, "\"1\""),
                "{method} {tags}"
            );
            assert_eq!(answer.header("cache-control"), "no-cache");
            assert_eq!(answer.body.is_empty(), status == 304 || method == "HEAD");
        }
    }
}

async fn conditions_that_make_no_sense_are_refused(api: &Api) {
    let item = address(api).await;
    for tags in [
        "",
        "1",
        "\"1",
        "'1'",
        "*, \"1\"",
        "\"1\" \"2\"",
        "w/\"1\"",
        ",",
    ] {
        assert_problem(
            &api.send("PUT", &item, &[JSON, ("if-match", tags)], body())
                .await,
            400,
        );
        assert_problem(
            &api.request("DELETE", &item, &[("if-match", tags)]).await,
            400,
        );
        assert_problem(
            &api.request("GET", &item, &[("if-none-match", tags)]).await,
            400,
        );
    }
    // To ignore it could destroy what it protects.
    let protected = [JSON, ("if-none-match", "*")];
    assert_problem(&api.send("PUT", &item, &protected, body()).await, 400);
    assert_problem(&api.request("DELETE", &item, &protected).await, 400);
    assert_eq!(api.get(&item).await.header("etag"), "\"1\"");
}
