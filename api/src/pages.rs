//! What the pages for people share: their languages, their look, their headers. They need no script, ask for nothing
//! else, and forbid browsers to run or fetch anything, whatever a proxy adds to them.

mod language;

pub use self::language::Language;

use axum::http::{HeaderName, HeaderValue, header};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

const STYLE: &str = include_str!("pages/style.css");

/// A stack, drawn; in the page itself, so that browsers do not ask for one.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16' fill='%230a8a75'%3E\
    %3Crect x='1' y='2' width='14' height='3' rx='1'/%3E%3Crect x='1' y='6.5' width='14' height='3' rx='1'/%3E\
    %3Crect x='1' y='11' width='14' height='3' rx='1'/%3E%3C/svg%3E";

/// A page in one language. Its parts are HTML.
pub struct Page<'a> {
    /// The language of all of it.
    pub language: Language,
    /// For the window's title and for search engines.
    pub title: &'a str,
    /// One sentence for those who list pages.
    pub description: &'a str,
    /// Classes of the body.
    pub class: &'a str,
    /// What comes between `<body>` and `</body>`. There is an element `main` with the id `main` in it.
    pub body: &'a str,
}

impl Page<'_> {
    /// The whole text.
    pub fn html(&self) -> String {
        let Self {
            language,
            title,
            description,
            class,
            body,
        } = self;
        format!(
            r##"<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="description" content="{description}">
<title>{title}</title>
<link rel="icon" href="{ICON}">
<style>{STYLE}</style>
</head>
<body class="{class}">
<a class="skip" href="#main">{skip}</a>
{body}
</body>
</html>
"##,
            language = language.tag(),
            skip = match language {
                Language::English => "Skip to the content",
                Language::French => "Aller au contenu",
            },
        )
    }
}

/// The headers of a page.
pub fn headers(language: Language) -> [(HeaderName, HeaderValue); 5] {
    // The one style is named by its hash: any other, whoever adds it, is refused.
    static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
        let hash = STANDARD.encode(Sha256::digest(STYLE));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'"
        );
        HeaderValue::try_from(policy).expect("the policy is ASCII")
    });
    let fixed = HeaderValue::from_static;
    [
        (header::CONTENT_TYPE, fixed("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, POLICY.clone()),
        (header::REFERRER_POLICY, fixed("no-referrer")),
        (header::CONTENT_LANGUAGE, fixed(language.tag())),
        (header::VARY, fixed("accept-language")),
    ]
}

/// Text as HTML shows it, inside an element or a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(
            escape(r#"<b title="x" id='y'>&amp;</b> é"#),
            "&lt;b title=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;&lt;/b&gt; é"
        );
    }

    #[test]
    fn the_style_cannot_end_its_element() {
        assert!(!STYLE.contains('<'));
    }
}
