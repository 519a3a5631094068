//! `GET /`: what this instance is, for a person with a browser. One page without script, in French or English.

mod words;

use self::words::Words;
use crate::{
    app::App,
    health::{Condition, Readiness},
    pages::{self, Language, Page},
};
use axum::{
    extract::State,
    http::{HeaderMap, Method},
    response::IntoResponse,
};

/// The landing page
///
/// For a person with a browser, in English or French. It counts a visit of the session that the request shows, and begins
/// none.
#[utoipa::path(
    get,
    path = "/",
    operation_id = "readLandingPage",
    tag = "about",
    params(("Accept-Language" = Option<String>, Header, description = "The reader's languages")),
    responses((status = 200, description = "The page", body = String, content_type = "text/html", headers(
        ("Content-Language" = String, description = "The page's language"),
        ("Vary" = String, description = "What the page depends on")
    )))
)]
pub async fn page(State(app): State<App>, method: Method, headers: HeaderMap) -> impl IntoResponse {
    let language = Language::wanted(&headers);
    let instance = Instance {
        readiness: app.health.readiness(),
        store: (app.store.engine(), app.store.condition()),
        cache: (app.cache.engine(), app.cache.condition()),
        visitor: visitor(&app, &method, &headers).await,
    };
    (pages::headers(language), instance.page(language))
}

/// What the page tells of.
struct Instance {
    readiness: Readiness,
    store: (&'static str, Condition),
    cache: (&'static str, Condition),
    visitor: Visitor,
}

/// Whose visit it is.
#[derive(Clone, Copy)]
enum Visitor {
    /// Somebody without a session. None is begun by merely looking.
    Unknown,
    /// The owner of a session, with this visit counted.
    Known(u64),
    /// Nobody can say: the sessions are away, and the page does without.
    Untold,
}

/// Counts the visit. HEAD is none: nobody sees the page.
async fn visitor(app: &App, method: &Method, headers: &HeaderMap) -> Visitor {
    let Some(id) = app.sessions.cookies().shown(headers) else {
        return Visitor::Unknown;
    };
    let session = if method == Method::GET {
        app.sessions.visit(&id).await
    } else {
        app.sessions.read(&id).await
    };
    match session {
        Ok(Some(session)) => Visitor::Known(session.visits),
        Ok(None) => Visitor::Unknown,
        Err(_) => Visitor::Untold,
    }
}

impl Instance {
    /// The page's text. Everything in it is a constant of ours or a number: nothing needs escaping.
    fn page(&self, language: Language) -> String {
        let words = Words::of(language);
        let title = words.title(self.readiness);
        let [store, cache] = [self.store.0, self.cache.0].map(|engine| words.within(engine));
        let body = format!(
            r#"<header class="mark"><a href="/">TpStack</a> <span>API {version}</span></header>
<main id="main">
<h1>{title}</h1>
<p class="lead">{introduction} {store} {and} {cache}.</p>
<section aria-labelledby="dependencies">
<h2 id="dependencies">{dependencies}</h2>
<dl class="rows">
{database}
{cached}
</dl>
</section>
{session}<nav aria-labelledby="routes">
<h2 id="routes">{routes}</h2>
<ul class="rows">
{links}
</ul>
</nav>
</main>
<footer>TpStack API {version}</footer>"#,
            version = env!("CARGO_PKG_VERSION"),
            introduction = words.introduction,
            and = words.and,
            dependencies = words.dependencies,
            database = dependency(words, words.database, self.store),
            cached = dependency(words, words.cache, self.cache),
            session = session(words, self.visitor),
            routes = words.routes,
            links = links(words),
        );
        Page {
            language,
            title: &format!("{title} · TpStack"),
            description: words.description,
            class: "landing",
            body: &body,
        }
        .html()
    }
}

fn dependency(words: &Words, role: &str, (engine, condition): (&'static str, Condition)) -> String {
    let class = match condition {
        Condition::Unknown => "unknown",
        Condition::Up => "up",
        Condition::ReadOnly => "limited",
        Condition::Down => "down",
    };
    let place = if matches!(engine, "sqlite" | "memory") {
        words.embedded
    } else {
        ""
    };
    let (engine, condition) = (words.engine(engine), words.condition(condition));
    format!(
        "<div><dt>{role}</dt><dd><span>{engine}{place}</span> <span class=\"{class}\">{condition}</span></dd></div>"
    )
}

fn session(words: &Words, visitor: Visitor) -> String {
    let told = match visitor {
        Visitor::Untold => return String::new(),
        Visitor::Unknown => format!("<p class=\"note\">{}</p>", words.sessionless),
        Visitor::Known(visits) => format!(
            "<dl class=\"rows\">\n<div><dt>{}</dt><dd><span class=\"figure\">{visits}</span></dd></div>\n</dl>",
            words.visits
        ),
    };
    format!(
        "<section aria-labelledby=\"session\">\n<h2 id=\"session\">{}</h2>\n{told}\n</section>\n",
        words.session
    )
}

fn links(words: &Words) -> String {
    let link = |(path, meaning): (&str, &str)| {
        format!("<li><a href=\"{path}\"><code>{path}</code></a> <span>{meaning}</span></li>")
    };
    words.links.map(link).join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(language: Language, visitor: Visitor) -> String {
        Instance {
            readiness: Readiness::Ready,
            store: ("postgres", Condition::Down),
            cache: ("memory", Condition::Unknown),
            visitor,
        }
        .page(language)
    }

    #[test]
    fn both_pages_link_the_same_routes_and_tell_the_same_state() {
        let [english, french] = Language::ALL.map(|language| page(language, Visitor::Unknown));
        let hrefs = |html: &str| -> Vec<String> {
            html.split("href=\"")
                .skip(1)
                .map(|rest| rest.split('"').next().unwrap().to_owned())
                .collect()
        };
        assert_eq!(hrefs(&english), hrefs(&french));
        for (html, words) in [(&english, "unreachable"), (&french, "injoignable")] {
            assert!(html.contains(&format!("class=\"down\">{words}")), "{html}");
        }
    }

    #[test]
    fn visits_are_told_to_the_owner_of_a_session_and_left_out_when_nobody_can_say() {
        for language in Language::ALL {
            let words = Words::of(language);
            let has = |visitor, text| page(language, visitor).contains(text);
            assert!(has(Visitor::Known(12), ">12</span>"));
            assert!(has(Visitor::Known(12), words.visits));
            assert!(has(Visitor::Unknown, words.sessionless));
            assert!(!has(Visitor::Untold, words.session));
        }
    }
}
