//! The documentation page's own words, in each language. What it says of the API itself is in the `OpenAPI` document, and
//! in `french.rs`.

use crate::pages::Language;

/// Everything the page says by itself in one language, as HTML.
pub(super) struct Words {
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    pub(super) contents: &'static str,
    pub(super) examples: &'static str,
    pub(super) parameters: &'static str,
    pub(super) body: &'static str,
    pub(super) answers: &'static str,
    pub(super) example: &'static str,
    pub(super) schemas: &'static str,
    pub(super) required: &'static str,
    pub(super) path: &'static str,
    pub(super) query: &'static str,
    pub(super) header: &'static str,
    pub(super) cookie: &'static str,
    pub(super) list_of: &'static str,
    pub(super) one_of: &'static str,
    pub(super) or: &'static str,
    pub(super) at_least: &'static str,
    pub(super) at_most: &'static str,
    pub(super) characters: &'static str,
    pub(super) entries: &'static str,
    pub(super) for_programs: &'static str,
    /// The tags' titles.
    titles: [(&'static str, &'static str); 5],
    /// JSON's types.
    kinds: [(&'static str, &'static str); 7],
}

static ENGLISH: Words = Words {
    title: "API documentation",
    description: "Every operation of the TpStack API, with examples",
    contents: "Operations",
    examples: "The examples are for a shell, and find the API in a variable:",
    parameters: "Parameters",
    body: "Body",
    answers: "Answers",
    example: "Example",
    schemas: "Shapes",
    required: "required",
    path: "in the path",
    query: "in the query",
    header: "header",
    cookie: "cookie",
    list_of: "list of",
    one_of: "one of",
    or: "or",
    at_least: "at least",
    at_most: "at most",
    characters: "characters",
    entries: "entries",
    for_programs: "The same for programs:",
    titles: [
        ("items", "Items"),
        ("session", "Session"),
        ("data", "Data"),
        ("health", "Health"),
        ("about", "About"),
    ],
    kinds: [
        ("string", "string"),
        ("integer", "integer"),
        ("number", "number"),
        ("boolean", "boolean"),
        ("object", "object"),
        ("array", "list"),
        ("null", "null"),
    ],
};

static FRENCH: Words = Words {
    title: "Documentation de l’API",
    description: "Chaque opération de l’API TpStack, avec des exemples",
    contents: "Opérations",
    examples: "Les exemples sont pour un shell, et trouvent l’API dans une variable\u{a0}:",
    parameters: "Paramètres",
    body: "Corps",
    answers: "Réponses",
    example: "Exemple",
    schemas: "Formes",
    required: "obligatoire",
    path: "dans le chemin",
    query: "dans la requête",
    header: "en-tête",
    cookie: "cookie",
    list_of: "liste de",
    one_of: "au choix",
    or: "ou",
    at_least: "au moins",
    at_most: "au plus",
    characters: "caractères",
    entries: "entrées",
    for_programs: "La même chose pour des programmes\u{a0}:",
    titles: [
        ("items", "Éléments"),
        ("session", "Session"),
        ("data", "Données"),
        ("health", "Santé"),
        ("about", "À propos"),
    ],
    kinds: [
        ("string", "chaîne"),
        ("integer", "entier"),
        ("number", "nombre"),
        ("boolean", "booléen"),
        ("object", "objet"),
        ("array", "liste"),
        ("null", "null"),
    ],
};

impl Words {
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::French => &FRENCH,
        }
    }

    /// A tag's title.
    pub(super) fn title_of(&self, tag: &str) -> Option<&'static str> {
        of(&self.titles, tag)
    }

    /// A type of JSON.
    pub(super) fn kind(&self, name: &str) -> Option<&'static str> {
        of(&self.kinds, name)
    }
}

fn of(pairs: &[(&'static str, &'static str)], key: &str) -> Option<&'static str> {
    let pair = pairs.iter().find(|(name, _)| *name == key);
    pair.map(|(_, word)| *word)
}
