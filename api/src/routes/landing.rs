//! `GET /`: what this instance is, for a person with a browser. One page without script, in French or English.

use crate::{app::App, health::Condition};
use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, header},
    response::{Html, IntoResponse},
};

/// The page.
pub async fn page(State(app): State<App>, headers: HeaderMap) -> impl IntoResponse {
    let wanted = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let words = Words::for_reader(wanted);
    let html = render(
        words,
        (app.store.engine(), app.store.condition()),
        (app.cache.engine(), app.cache.condition()),
    );
    (page_headers(words.language), Html(html))
}

/// Nothing may be loaded or run by this page, whatever a proxy adds to it.
fn page_headers(language: &'static str) -> [(HeaderName, &'static str); 4] {
    [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_LANGUAGE, language),
        (header::VARY, "accept-language"),
    ]
}

/// The page's words in one language.
#[derive(Debug, PartialEq, Eq)]
struct Words {
    language: &'static str,
    title: &'static str,
    introduction: &'static str,
    database: &'static str,
    cache: &'static str,
    colon: &'static str,
    conditions: [&'static str; 3],
    routes: &'static str,
    meanings: [&'static str; 4],
}

static ENGLISH: Words = Words {
    language: "en",
    title: "The API is running",
    introduction: "This instance answers, with these services behind it:",
    database: "Database",
    cache: "Cache",
    colon: ":",
    conditions: ["not contacted yet", "reachable", "unreachable"],
    routes: "Routes",
    meanings: [
        "the database’s time, kept for 60 seconds in the cache",
        "whether this process is alive",
        "whether it wants traffic, and what it knows of its dependencies",
        "its metrics, for Prometheus",
    ],
};

static FRENCH: Words = Words {
    language: "fr",
    title: "L’API fonctionne",
    introduction: "Cette instance répond, et s’appuie sur ces services\u{a0}:",
    database: "Base de données",
    cache: "Cache",
    // A no-break space goes before a French colon.
    colon: "\u{a0}:",
    conditions: ["pas encore contacté", "joignable", "injoignable"],
    routes: "Routes",
    meanings: [
        "l’heure de la base de données, gardée 60 secondes en cache",
        "si ce processus est vivant",
        "s’il veut du trafic, et ce qu’il sait de ses dépendances",
        "ses métriques, pour Prometheus",
    ],
};

const PATHS: [&str; 4] = ["/api/data", "/health", "/health/ready", "/metrics"];

impl Words {
    /// The reader's preferred language among ours; English when the header does not say.
    fn for_reader(accept_language: &str) -> &'static Self {
        let weight = |language: &str| {
            accept_language
                .split(',')
                .filter_map(|range| weight_of(range, language))
                .fold(0.0, f32::max)
        };
        if weight("fr") > weight("en") {
            &FRENCH
        } else {
            &ENGLISH
        }
    }

    fn condition(&self, condition: Condition) -> &'static str {
        let [unknown, up, down] = self.conditions;
        match condition {
            Condition::Unknown => unknown,
            Condition::Up => up,
            Condition::Down => down,
        }
    }
}

/// The weight of `language` in one range such as `fr-CH;q=0.9`, if the range is about it.
fn weight_of(range: &str, language: &str) -> Option<f32> {
    let mut parts = range.split(';').map(str::trim);
    let tag = parts.next()?;
    let primary = tag.split('-').next()?;
    if !primary.eq_ignore_ascii_case(language) {
        return None;
    }
    let quality = parts.find_map(|part| part.strip_prefix("q="));
    quality.map_or(Some(1.0), |value| value.parse().ok())
}

/// Everything on the page is a constant of ours: nothing needs escaping.
fn render(words: &Words, store: (&str, Condition), cache: (&str, Condition)) -> String {
    let service = |name: &str, (engine, condition): (&str, Condition)| {
        let (colon, condition) = (words.colon, words.condition(condition));
        format!("<li>{name} ({engine}){colon} {condition}</li>")
    };
    let route =
        |(path, meaning)| format!("<li><a href=\"{path}\"><code>{path}</code></a> {meaning}</li>");
    let routes: Vec<String> = PATHS.iter().zip(words.meanings).map(route).collect();
    format!(
        r#"<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>body {{ font: 1rem/1.6 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem }}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{introduction}</p>
<ul>
{database}
{cache}
</ul>
<h2>{routes_title}</h2>
<ul>
{routes}
</ul>
<p><small>TpStack API {version}</small></p>
</main>
</body>
</html>
"#,
        language = words.language,
        title = words.title,
        introduction = words.introduction,
        database = service(words.database, store),
        cache = service(words.cache, cache),
        routes_title = words.routes,
        routes = routes.join("\n"),
        version = env!("CARGO_PKG_VERSION"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_gets_the_language_they_prefer_and_english_when_they_do_not_say() {
        for (accept, language) in [
            ("", "en"),
            ("*", "en"),
            ("de, nl", "en"),
            ("fr", "fr"),
            ("FR-ch, en;q=0.8", "fr"),
            ("fr;q=0.5, en;q=0.9", "en"),
            ("de, fr;q=0.3", "fr"),
            ("en-GB, fr", "en"),
            ("fr;q=nonsense, en;q=0.1", "en"),
        ] {
            assert_eq!(Words::for_reader(accept).language, language, "{accept:?}");
        }
    }

    #[test]
    fn both_pages_link_every_route() {
        for words in [&ENGLISH, &FRENCH] {
            let html = render(
                words,
                ("sqlite", Condition::Up),
                ("memory", Condition::Unknown),
            );
            for path in PATHS {
                assert!(
                    html.contains(&format!("href=\"{path}\"")),
                    "{path} in {}",
                    words.language
                );
            }
            assert!(html.contains(words.condition(Condition::Unknown)));
        }
    }
}
