//! The documentation as HTML.

use super::{
    curl,
    description::{Answer, Body, Document, Media, Operation, Parameter, Place, Schema},
    french,
    schema::{bounds, kind},
    words::Words,
};
use crate::pages::{Language, Page, escape};
use std::{collections::BTreeMap, fmt::Write};

/// The page in a language.
pub(super) fn page(document: &Document, language: Language) -> String {
    let view = View {
        document,
        language,
        words: Words::of(language),
    };
    let words = view.words;
    let body = format!(
        r#"<header class="mark"><a href="/">TpStack</a> <span>API {version}</span></header>
<div class="columns">
<nav class="contents" aria-labelledby="contents">
<h2 id="contents">{contents}</h2>
{list}
</nav>
<main id="main">
<h1>{title}</h1>
<p>{introduction}</p>
<p>{for_programs} <a href="/openapi.json"><code>/openapi.json</code></a></p>
<p>{examples}</p>
<pre tabindex="0"><code>API=http://127.0.0.1:5000</code></pre>
{operations}
<section aria-labelledby="shapes">
<h2 id="shapes">{shapes}</h2>
{schemas}
</section>
</main>
</div>
<footer>TpStack API {version}</footer>"#,
        version = escape(&document.info.version),
        contents = words.contents,
        list = view.contents(),
        title = words.title,
        introduction = view.text(&document.info.description),
        for_programs = words.for_programs,
        examples = words.examples,
        operations = view.operations(),
        shapes = words.schemas,
        schemas = view.schemas(),
    );
    Page {
        language,
        title: &format!("{} · TpStack", words.title),
        description: words.description,
        class: "docs",
        body: &body,
    }
    .html()
}

struct View<'a> {
    document: &'a Document,
    language: Language,
    words: &'static Words,
}

impl View<'_> {
    /// A text of the document in the page's language, `code` in it marked.
    fn text(&self, english: &str) -> String {
        let english = french::one_line(english);
        let told = match self.language {
            Language::English => Some(english.as_str()),
            Language::French => french::text(&english),
        };
        match told {
            Some(text) => marked(text),
            // A test sees to it that there is none; a reader would still be told which language it is.
            None if english.is_empty() => String::new(),
            None => format!("<span lang=\"en\">{}</span>", marked(&english)),
        }
    }

    fn title_of(&self, tag: &str) -> String {
        let title = self.words.title_of(tag);
        title.map_or_else(|| escape(tag), str::to_owned)
    }

    fn contents(&self) -> String {
        let mut html = String::new();
        for tag in &self.document.tags {
            let title = self.title_of(&tag.name);
            _ = write!(
                html,
                "<h3><a href=\"#tag-{}\">{title}</a></h3>\n<ul>\n",
                tag.name
            );
            for (_, _, operation) in self.document.tagged(&tag.name) {
                let (id, summary) = (&operation.id, self.text(&operation.summary));
                _ = writeln!(html, "<li><a href=\"#{id}\">{summary}</a></li>");
            }
            html.push_str("</ul>\n");
        }
        html
    }

    fn operations(&self) -> String {
        let mut html = String::new();
        for tag in &self.document.tags {
            let (name, title) = (&tag.name, self.title_of(&tag.name));
            _ = write!(
                html,
                "<section aria-labelledby=\"tag-{name}\">\n<h2 id=\"tag-{name}\">{title}</h2>\n<p class=\"note\">{}</p>\n",
                self.text(&tag.description)
            );
            for (path, method, operation) in self.document.tagged(name) {
                html.push_str(&self.operation(path, method, operation));
            }
            html.push_str("</section>\n");
        }
        html
    }

    fn operation(&self, path: &str, method: &str, operation: &Operation) -> String {
        let Operation {
            id,
            summary,
            description,
            parameters,
            request_body,
            responses,
            ..
        } = operation;
        let words = self.words;
        let mut html = format!(
            "<article id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h3 id=\"{id}-title\">{summary}</h3>\n\
             <p class=\"call\"><span class=\"method\">{method}</span> <code>{path}</code></p>\n",
            summary = self.text(summary),
            method = method.to_uppercase(),
            path = escape(path).replace('/', "/<wbr>"),
        );
        if !description.is_empty() {
            _ = writeln!(html, "<p>{}</p>", self.text(description));
        }
        if !parameters.is_empty() {
            let rows = parameters.iter().map(|one| self.parameter(one));
            html.push_str(&list(words.parameters, rows));
        }
        if let Some(body) = request_body {
            html.push_str(&list(words.body, [self.body(body)]));
        }
        let rows = responses
            .iter()
            .map(|(status, one)| self.answer(status, one));
        html.push_str(&list(words.answers, rows));
        let command = curl::command(self.document, path, method, operation);
        _ = write!(
            html,
            "<h4>{}</h4>\n<pre tabindex=\"0\" class=\"command\"><code>{}</code></pre>\n</article>\n",
            words.example,
            escape(&command)
        );
        html
    }

    fn parameter(&self, parameter: &Parameter) -> String {
        let words = self.words;
        let place = match parameter.place {
            Place::Path => words.path,
            Place::Query => words.query,
            Place::Header => words.header,
            Place::Cookie => words.cookie,
        };
        let notes = self.notes(&parameter.schema, &[place], parameter.required);
        row(
            &escape(&parameter.name),
            &notes,
            &self.text(&parameter.description),
        )
    }

    fn body(&self, body: &Body) -> String {
        let (shapes, text) = (self.shapes(&body.content), self.text(&body.description));
        format!("<dt class=\"note\">{shapes}</dt>\n<dd>{text}</dd>")
    }

    fn answer(&self, status: &str, answer: &Answer) -> String {
        let mut text = self.text(&answer.description);
        if !answer.headers.is_empty() {
            text.push_str("<ul>");
            for (name, header) in &answer.headers {
                let (name, meaning) = (escape(name), self.text(&header.description));
                _ = write!(text, "<li><code>{name}</code> {meaning}</li>");
            }
            text.push_str("</ul>");
        }
        row(status, &self.shapes(&answer.content), &text)
    }

    /// What may be in a body, by media type.
    fn shapes(&self, content: &BTreeMap<String, Media>) -> String {
        let shape = |(media, content): (&String, &Media)| {
            format!("{} · {}", kind(self.words, &content.schema), escape(media))
        };
        content.iter().map(shape).collect::<Vec<_>>().join("<br>")
    }

    fn schemas(&self) -> String {
        let mut html = String::new();
        for (name, schema) in &self.document.components.schemas {
            _ = writeln!(
                html,
                "<article id=\"shape-{name}\" aria-labelledby=\"shape-{name}-title\">"
            );
            _ = writeln!(html, "<h3 id=\"shape-{name}-title\">{name}</h3>");
            if !schema.description.is_empty() {
                _ = writeln!(html, "<p>{}</p>", self.text(&schema.description));
            }
            if schema.properties.is_empty() {
                _ = writeln!(
                    html,
                    "<p class=\"note\">{}</p>",
                    self.notes(schema, &[], false)
                );
            } else {
                html.push_str("<dl class=\"fields\">\n");
                for (field, shape) in &schema.properties {
                    let required = schema.required.contains(field);
                    let notes = self.notes(shape, &[], required);
                    html.push_str(&row(&escape(field), &notes, &self.text(&shape.description)));
                    html.push('\n');
                }
                html.push_str("</dl>\n");
            }
            if let Some(example) = &schema.example {
                let text = serde_json::to_string_pretty(example).unwrap_or_default();
                _ = writeln!(
                    html,
                    "<pre tabindex=\"0\"><code>{}</code></pre>",
                    escape(&text)
                );
            }
            html.push_str("</article>\n");
        }
        html
    }

    /// Type, place, bounds, whether it must be there.
    fn notes(&self, schema: &Schema, places: &[&str], required: bool) -> String {
        let mut notes = vec![kind(self.words, schema)];
        notes.extend(places.iter().map(|place| (*place).to_owned()));
        notes.extend(bounds(self.words, schema));
        if required {
            notes.push(self.words.required.to_owned());
        }
        notes.join(" · ")
    }
}

fn list(title: &str, rows: impl IntoIterator<Item = String>) -> String {
    let rows: Vec<_> = rows.into_iter().collect();
    format!(
        "<h4>{title}</h4>\n<dl class=\"fields\">\n{}\n</dl>\n",
        rows.join("\n")
    )
}

fn row(name: &str, notes: &str, text: &str) -> String {
    format!("<dt><code>{name}</code> <span class=\"note\">{notes}</span></dt>\n<dd>{text}</dd>")
}

/// Escaped, and what is in backticks as code.
fn marked(text: &str) -> String {
    let mut html = String::new();
    for (number, part) in text.split('`').enumerate() {
        let part = escape(part);
        if number % 2 == 1 {
            _ = write!(html, "<code>{part}</code>");
        } else {
            // Our sources have the typewriter's apostrophe.
            html.push_str(&part.replace("&#39;", "’"));
        }
    }
    html
}
