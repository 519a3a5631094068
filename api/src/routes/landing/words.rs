//! The landing page's words, in each language.

use crate::{
    health::{Condition, Readiness},
    pages::Language,
};

/// Everything the page says in one language, as HTML.
pub(super) struct Words {
    /// The page's description for those who list pages.
    pub(super) description: &'static str,
    /// What the process says of itself: starting, ready, draining.
    titles: [&'static str; 3],
    /// Before the engines.
    pub(super) introduction: &'static str,
    pub(super) and: &'static str,
    pub(super) dependencies: &'static str,
    pub(super) database: &'static str,
    pub(super) cache: &'static str,
    /// Unknown, up, read-only, down.
    conditions: [&'static str; 4],
    /// The engine of this name.
    memory: &'static str,
    /// Before an engine, and before that one.
    within: [&'static str; 2],
    /// What is added to an engine that is inside this process.
    pub(super) embedded: &'static str,
    pub(super) session: &'static str,
    pub(super) visits: &'static str,
    pub(super) sessionless: &'static str,
    pub(super) routes: &'static str,
    /// What is behind each link.
    pub(super) links: [(&'static str, &'static str); 7],
}

static ENGLISH: Words = Words {
    description: "What this instance of the TpStack API is, and how its dependencies are",
    titles: [
        "The API is starting",
        "The API is running",
        "The API is stopping",
    ],
    introduction: "This instance keeps its data",
    and: "and its cache",
    dependencies: "Dependencies",
    database: "Database",
    cache: "Cache",
    conditions: ["not contacted yet", "reachable", "read-only", "unreachable"],
    memory: "memory",
    within: ["in", "in"],
    embedded: ", in this process",
    session: "Your session",
    visits: "Visits of this page",
    sessionless: "Visits are counted within a session, and looking at this page does not begin one: \
        <a href=\"/docs#createSession\"><code>POST /api/session</code></a> does.",
    routes: "Where to go",
    links: [
        ("/docs", "how to use this API"),
        (
            "/openapi.json",
            "the same for programs, as an OpenAPI document",
        ),
        ("/api/items", "what the API keeps for its users"),
        (
            "/api/data",
            "the database’s time, kept for 60 seconds in the cache",
        ),
        ("/health", "whether this process is alive"),
        (
            "/health/ready",
            "whether it wants traffic, and what it knows of its dependencies",
        ),
        (
            "/metrics",
            "its metrics, for Prometheus; a stack’s edge does not let them out",
        ),
    ],
};

// A no-break space goes before a French colon or semicolon.
static FRENCH: Words = Words {
    description: "Ce qu’est cette instance de l’API TpStack, et comment vont ses dépendances",
    titles: ["L’API démarre", "L’API fonctionne", "L’API s’arrête"],
    introduction: "Cette instance garde ses données",
    and: "et son cache",
    dependencies: "Dépendances",
    database: "Base de données",
    cache: "Cache",
    conditions: [
        "pas encore contacté",
        "joignable",
        "en lecture seule",
        "injoignable",
    ],
    memory: "mémoire",
    within: ["dans", "en"],
    embedded: ", dans ce processus",
    session: "Votre session",
    visits: "Visites de cette page",
    sessionless: "Les visites sont comptées au sein d’une session, et regarder cette page n’en ouvre pas\u{a0}: \
        <a href=\"/docs#createSession\"><code>POST /api/session</code></a> le fait.",
    routes: "Où aller",
    links: [
        ("/docs", "comment utiliser cette API"),
        (
            "/openapi.json",
            "la même chose pour des programmes, en document OpenAPI",
        ),
        ("/api/items", "ce que l’API garde pour ses utilisateurs"),
        (
            "/api/data",
            "l’heure de la base de données, gardée 60 secondes en cache",
        ),
        ("/health", "si ce processus est vivant"),
        (
            "/health/ready",
            "s’il veut du trafic, et ce qu’il sait de ses dépendances",
        ),
        (
            "/metrics",
            "ses métriques, pour Prometheus\u{a0}; l’entrée d’une pile ne les laisse pas sortir",
        ),
    ],
};

impl Words {
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::French => &FRENCH,
        }
    }

    pub(super) fn title(&self, readiness: Readiness) -> &'static str {
        let [starting, ready, draining] = self.titles;
        match readiness {
            Readiness::Starting => starting,
            Readiness::Ready => ready,
            Readiness::Draining => draining,
        }
    }

    /// An engine as people call it.
    pub(super) fn engine(&self, name: &'static str) -> &'static str {
        match name {
            "postgres" => "PostgreSQL",
            "sqlite" => "SQLite",
            "redis" => "Redis",
            "memory" => self.memory,
            other => other,
        }
    }

    /// Where something is kept.
    pub(super) fn within(&self, engine: &'static str) -> String {
        let [others, memory] = self.within;
        let word = if engine == "memory" { memory } else { others };
        format!("{word} {}", self.engine(engine))
    }

    pub(super) fn condition(&self, condition: Condition) -> &'static str {
        let [unknown, up, read_only, down] = self.conditions;
        match condition {
            Condition::Unknown => unknown,
            Condition::Up => up,
            Condition::ReadOnly => read_only,
            Condition::Down => down,
        }
    }
}
