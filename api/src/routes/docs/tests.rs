use super::*;
use serde_json::Value;
use std::collections::BTreeSet;

/// Every sentence that the document says to people.
fn sentences(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(text) if name == "summary" || name == "description" => {
                        found.insert(french::one_line(text));
                    }
                    // A value's own field may be called so.
                    _ if name == "example" => {}
                    _ => sentences(field, found),
                }
            }
        }
        Value::Array(entries) => entries.iter().for_each(|entry| sentences(entry, found)),
        _ => {}
    }
}

fn document() -> Value {
    serde_json::from_slice(&openapi::document().body).unwrap()
}

#[test]
fn all_that_the_document_says_is_said_in_french_too_and_nothing_else_is() {
    let mut said = BTreeSet::new();
    sentences(&document(), &mut said);
    let translated: BTreeSet<String> = french::TEXTS
        .iter()
        .map(|(english, _)| (*english).to_owned())
        .collect();
    assert_eq!(translated.len(), french::TEXTS.len(), "one comes twice");
    let missing: Vec<_> = said.difference(&translated).collect();
    assert!(missing.is_empty(), "french.rs lacks {missing:#?}");
    let left_over: Vec<_> = translated.difference(&said).collect();
    assert!(left_over.is_empty(), "nobody says {left_over:#?} any more");
}

#[test]
fn every_operation_and_shape_is_on_both_pages_and_no_french_page_falls_back_to_english() {
    let document = document();
    for language in Language::ALL {
        let html = String::from_utf8(rendered(language).body.to_vec()).unwrap();
        let mut operations = 0;
        for methods in document["paths"].as_object().unwrap().values() {
            for operation in methods.as_object().unwrap().values() {
                let id = operation["operationId"].as_str().unwrap();
                assert!(html.contains(&format!("<article id=\"{id}\"")), "{id}");
                operations += 1;
            }
        }
        assert_eq!(html.matches("class=\"command\"").count(), operations);
        for shape in document["components"]["schemas"]
            .as_object()
            .unwrap()
            .keys()
        {
            assert!(
                html.contains(&format!("<article id=\"shape-{shape}\"")),
                "{shape}"
            );
        }
        let fallbacks = html.matches("lang=\"en\"").count();
        assert_eq!(
            fallbacks,
            usize::from(language == Language::English),
            "the page's own only"
        );
    }
}

#[test]
fn every_tag_has_a_title_in_both_languages() {
    for language in Language::ALL {
        for tag in document()["tags"].as_array().unwrap() {
            let name = tag["name"].as_str().unwrap();
            assert!(
                words::Words::of(language).title_of(name).is_some(),
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn a_reader_who_has_the_page_is_not_sent_it_again_unless_in_another_language() {
    let ask = async |language: &str, tag: Option<&HeaderValue>| {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_LANGUAGE, language.parse().unwrap());
        if let Some(tag) = tag {
            headers.insert(header::IF_NONE_MATCH, tag.clone());
        }
        let response = page(headers).await.unwrap();
        (response.status(), response.headers()[header::ETAG].clone())
    };
    let (status, tag) = ask("fr", None).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        ask("fr", Some(&tag)).await,
        (StatusCode::NOT_MODIFIED, tag.clone())
    );
    let (status, other) = ask("en", Some(&tag)).await;
    assert_eq!(status, StatusCode::OK);
    assert_ne!(other, tag);
}
