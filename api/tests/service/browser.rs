//! The pages in a real browser: what a person with a phone or a desk, in light or dark, in French or English, gets to see.

mod chromium;
mod tab;

use self::{
    chromium::Chromium,
    tab::{Reader, Tab},
};
use crate::{api::Api, figures::tell};
use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

const PAGES: [(&str, &str); 2] = [("/", "landing"), ("/docs", "docs")];

/// What browsers send for these readers, the more wanted language first.
const LANGUAGES: [(&str, &str); 2] = [("en", "en-GB,en"), ("fr", "fr-FR,fr,en")];

const PHONE: Reader = Reader {
    languages: "en",
    width: 390,
    height: 844,
    phone: true,
    dark: false,
};

const DESK: Reader = Reader {
    languages: "en",
    width: 1280,
    height: 800,
    phone: false,
    dark: false,
};

/// A page in one breath: what the checks below are about.
const OUTLINE: &str = r#"(() => {
// Contrast as WCAG 2 defines it.
const light = colour => {
    const parts = colour.match(/[\d.]+/g).slice(0, 3).map(part => part / 255);
    const [r, g, b] = parts.map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
};
const paper = one => {
    const colour = one ? getComputedStyle(one).backgroundColor : "rgb(255, 255, 255)";
    return colour == "rgba(0, 0, 0, 0)" ? paper(one.parentElement) : colour;
};
const contrast = one => {
    const [a, b] = [light(getComputedStyle(one).color), light(paper(one))];
    return Math.max(a, b) / Math.min(a, b);
};
return {
    lang: document.documentElement.lang,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    paper: getComputedStyle(document.body).backgroundColor,
    overflow: document.documentElement.scrollWidth - innerWidth,
    cut: [...document.querySelectorAll("body *")]
        .filter(one => !one.closest("pre, .skip") && one.getBoundingClientRect().right > innerWidth + 1)
        .map(one => one.outerHTML.slice(0, 100)),
    mains: document.querySelectorAll("main").length,
    titles: document.querySelectorAll("h1").length,
    headings: [...document.querySelectorAll("main h1, main h2, main h3, main h4")].map(one => +one.tagName[1]),
    nameless: [...document.querySelectorAll("a, nav, section, article")]
        .filter(one => !(one.tagName == "A" ? one.innerText : document.getElementById(one.getAttribute("aria-labelledby"))?.innerText))
        .map(one => one.outerHTML.slice(0, 100)),
    ids: [...document.querySelectorAll("[id]")].map(one => one.id),
    small: [...document.querySelectorAll("main *, nav *, footer")]
        .filter(one => one.innerText && parseFloat(getComputedStyle(one).fontSize) < 12).map(one => one.outerHTML.slice(0, 100)),
    faint: [...document.querySelectorAll("body *")].filter(one => {
        const own = [...one.childNodes].some(node => node.nodeType == 3 && node.data.trim());
        return own && !one.closest(".skip") && contrast(one) < 4.5;
    }).map(one => `${contrast(one).toFixed(1)} ${one.outerHTML.slice(0, 100)}`),
    links: [...document.querySelectorAll("a")].map(one => one.href),
    scripts: document.scripts.length,
}})()"#;

#[tokio::test]
async fn both_pages_are_well_on_phone_and_desk_in_both_languages_light_and_dark() {
    let api = Api::start(&[]).await;
    let origin = format!("http://{}", api.address);
    let mut chromium = Chromium::start();
    let (mut views, mut papers) = (0, BTreeSet::new());
    for (path, name) in PAGES {
        for (language, languages) in LANGUAGES {
            for (screen, reader) in [("phone", PHONE), ("desk", DESK)] {
                for dark in [false, true] {
                    let scheme = if dark { "dark" } else { "light" };
                    let view = format!("{name}-{language}-{screen}-{scheme}");
                    let reader = Reader {
                        languages,
                        dark,
                        ..reader
                    };
                    let mut tab = Tab::open(&mut chromium, reader);
                    let url = format!("{origin}{path}");
                    let seen = tab.load(&url);
                    assert!(seen.complaints.is_empty(), "{view}: {:#?}", seen.complaints);
                    assert_eq!(seen.requests, [url], "{view} asks for more than itself");
                    let outline = tab.evaluate(OUTLINE);
                    assert_eq!(outline["lang"], language, "{view}");
                    assert_eq!(outline["dark"], dark, "{view}");
                    assert!(
                        outline["overflow"].as_i64().unwrap() <= 0,
                        "{view}: {outline}"
                    );
                    for nothing in ["cut", "nameless", "small", "faint"] {
                        assert_eq!(outline[nothing], serde_json::json!([]), "{view}: {nothing}");
                    }
                    assert_eq!(outline["mains"], 1, "{view}");
                    assert_eq!(outline["titles"], 1, "{view}");
                    assert_eq!(outline["scripts"], 0, "{view}");
                    let levels = numbers(&outline["headings"]);
                    let steps = levels.windows(2).all(|pair| pair[1] <= pair[0] + 1);
                    assert!(levels[0] == 1 && steps, "{view}: {levels:?}");
                    let ids = texts(&outline["ids"]);
                    let distinct: BTreeSet<_> = ids.iter().collect();
                    assert_eq!(distinct.len(), ids.len(), "{view}: an id comes twice");
                    assert_eq!(tab.cookies(), serde_json::json!([]), "{view} set a cookie");
                    papers.insert((dark, outline["paper"].to_string()));
                    tab.picture(&view);
                    views += 1;
                }
            }
        }
    }
    assert_eq!(
        papers.len(),
        2,
        "one colour for light, another for dark: {papers:?}"
    );
    tell(
        "pages in Chromium",
        &format!("{views} views, 0 console messages, 0 foreign requests (target/screenshots)"),
    );
}

#[tokio::test]
async fn every_link_leads_somewhere() {
    let api = Api::start(&[]).await;
    let origin = format!("http://{}", api.address);
    let mut chromium = Chromium::start();
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut links = BTreeSet::new();
    for (path, _) in PAGES {
        let mut tab = Tab::open(&mut chromium, DESK);
        tab.load(&format!("{origin}{path}"));
        let outline = tab.evaluate(OUTLINE);
        ids.insert(
            path.to_owned(),
            texts(&outline["ids"]).into_iter().collect(),
        );
        links.extend(texts(&outline["links"]));
    }
    assert!(links.len() > 20, "{links:?}");
    let mut paths = BTreeSet::new();
    for link in &links {
        let inside = link.strip_prefix(&origin);
        let inside = inside.unwrap_or_else(|| panic!("{link} leads away"));
        let (path, fragment) = inside.split_once('#').unwrap_or((inside, ""));
        paths.insert(path.to_owned());
        let known = |ids: &BTreeSet<String>| ids.contains(fragment);
        assert!(
            fragment.is_empty() || ids.get(path).is_some_and(known),
            "{link} has no such place"
        );
    }
    for path in &paths {
        assert_eq!(api.get(path).await.status, 200, "{path}");
    }
    tell(
        "links of the pages",
        &format!(
            "{} links to {} paths, all answer 200",
            links.len(),
            paths.len()
        ),
    );
}

#[tokio::test]
async fn visits_are_counted_in_a_session_that_was_begun_and_looking_begins_none() {
    let api = Api::start(&[]).await;
    let origin = format!("http://{}", api.address);
    let mut chromium = Chromium::start();
    let mut tab = Tab::open(&mut chromium, DESK);
    let visits =
        r#"document.querySelector("[aria-labelledby=session] .figure")?.innerText ?? null"#;
    tab.load(&origin);
    assert_eq!(tab.evaluate(visits), serde_json::Value::Null);
    assert_eq!(tab.cookies(), serde_json::json!([]));
    let begun = api.request("POST", "/api/session", &[]).await;
    assert_eq!(begun.status, 201, "{begun:?}");
    let cookie = begun
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let (name, value) = cookie.split_once('=').unwrap();
    tab.set_cookie(&origin, name, value);
    for expected in ["1", "2", "3"] {
        tab.load(&origin);
        assert_eq!(tab.evaluate(visits), expected);
    }
    tab.picture("landing-visits");
    let session = api
        .request("GET", "/api/session", &[("cookie", &cookie)])
        .await;
    assert_eq!(session.json()["visits"], 3, "{session:?}");
    // HEAD shows nobody anything.
    api.request("HEAD", "/", &[("cookie", &cookie)]).await;
    let session = api
        .request("GET", "/api/session", &[("cookie", &cookie)])
        .await;
    assert_eq!(session.json()["visits"], 3, "{session:?}");
}

#[tokio::test]
async fn the_examples_of_the_documentation_work_as_they_are_printed() {
    let api = Api::start(&[]).await;
    let mut chromium = Chromium::start();
    let mut tab = Tab::open(&mut chromium, DESK);
    tab.load(&format!("http://{}/docs", api.address));
    let examples = tab.evaluate(
        r#"Object.fromEntries([...document.querySelectorAll("article:has(.command)")]
            .map(one => [one.id, one.querySelector(".command").innerText]))"#,
    );
    let examples = examples.as_object().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let run = |id: &str, item: &str| {
        let output = Command::new("bash")
            .args(["-euc", examples[id].as_str().unwrap()])
            .current_dir(&folder)
            .env("API", format!("http://{}", api.address))
            .env("ID", item)
            .output()
            .expect("bash runs");
        let text = String::from_utf8(output.stdout).unwrap();
        let status = text.split(' ').nth(1).unwrap_or_default();
        assert!(status.starts_with('2'), "{id}: {}\n{text}", examples[id]);
        text
    };
    // What the others need comes first, what ends it last.
    let created = run("createItem", "");
    let item: serde_json::Value = serde_json::from_str(created.lines().last().unwrap()).unwrap();
    let item = item["id"].as_str().unwrap();
    run("createSession", item);
    let (last, middle): (Vec<_>, Vec<_>) = examples.keys().partition(|id| id.starts_with("delete"));
    for id in middle.into_iter().chain(last) {
        run(id, item);
    }
    tell(
        "examples of /docs",
        &format!("{} commands run, all answered 2xx", examples.len()),
    );
}

/// Without this, a browser that tells nothing would look like a page that is well.
#[tokio::test]
async fn the_browser_tells_of_what_is_wrong() {
    let mut chromium = Chromium::start();
    let mut tab = Tab::open(&mut chromium, PHONE);
    let page = "data:text/html,<html lang=xx><main><p style='color:%23888;background:%23777;width:2000px;font-size:9px'>text</p>\
        <img src='http://example.com/a.png'><script>console.error('told')</script>";
    let seen = tab.load(page);
    let complaints = seen.complaints.join("\n");
    for expected in ["told", "ERR_NAME_NOT_RESOLVED"] {
        assert!(
            complaints.contains(expected),
            "no {expected} in {complaints}"
        );
    }
    assert_eq!(seen.requests, ["http://example.com/a.png"]);
    let outline = tab.evaluate(OUTLINE);
    assert!(outline["overflow"].as_i64().unwrap() > 0, "{outline}");
    for something in ["cut", "small", "faint"] {
        assert_ne!(outline[something], serde_json::json!([]), "{something}");
    }
}

fn texts(value: &serde_json::Value) -> Vec<String> {
    let text = |one: &serde_json::Value| one.as_str().unwrap().to_owned();
    value.as_array().unwrap().iter().map(text).collect()
}

fn numbers(value: &serde_json::Value) -> Vec<u64> {
    let number = |one: &serde_json::Value| one.as_u64().unwrap();
    value.as_array().unwrap().iter().map(number).collect()
}
