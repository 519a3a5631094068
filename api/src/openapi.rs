//! The `OpenAPI` document. Handlers describe themselves beside their code; what holds for all of them is said here, once:
//! the bodies and headers of errors, and the answers that any request may get.

use crate::{
    error::{CourseError, Problem},
    router,
    routes::{conditions, items},
};
use axum::{body::Bytes, http::HeaderValue};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;
use utoipa::{
    OpenApi, ToSchema,
    openapi::{
        self, Content, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response,
        path::{Operation, Parameter, PathItem},
        schema::{AnyOfBuilder, Object, Schema, SchemaType, Type},
    },
};

/// The document as it is served.
pub struct Document {
    /// The JSON text.
    pub body: Bytes,
    /// Its entity tag: another text has another.
    pub tag: HeaderValue,
}

/// The document, rendered when somebody first asks for it.
pub fn document() -> &'static Document {
    static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
        let document = complete(router::routes().into_openapi());
        let body = serde_json::to_vec(&document).expect("a document of ours is JSON");
        let tag = format!("\"{:x}\"", Sha256::digest(&body));
        Document {
            tag: HeaderValue::try_from(tag).expect("hex digits in quotes are ASCII"),
            body: body.into(),
        }
    });
    &DOCUMENT
}

/// What the document says before any route is added.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "TpStack API",
        description = "The reference API of a stack. Errors are RFC 9457 problems, but on `/api/data`, which keeps the \
            bodies of the course it comes from. Every answer carries `X-Request-Id`. `HEAD` works where `GET` does, and \
            any other method than those listed is answered 405 with `Allow`. Query strings are read strictly under \
            `/api/items` and `/api/session`: a parameter that is unknown or comes twice is refused.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "items", description = "What the API keeps for its users"),
        (name = "session", description = "The visitor's own session"),
        (name = "data", description = "The course's route"),
        (name = "health", description = "For whatever runs and routes to this API"),
        (name = "about", description = "This API itself"),
    ),
    components(schemas(Problem<'_>, CourseError<'_>))
)]
pub struct Described;

/// Operations whose errors have the course's bodies.
const COURSE_OPERATIONS: &[&str] = &["readData"];

/// What any request may be answered, before its route is asked or when that takes too long.
const ANY_REQUEST: &[&str] = &["400", "408", "413", "414", "504"];

fn complete(mut document: openapi::OpenApi) -> openapi::OpenApi {
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            complete_operation(operation);
        }
    }
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem {
        get,
        put,
        post,
        delete,
        ..
    } = item;
    [get, put, post, delete].into_iter().flatten()
}

fn complete_operation(operation: &mut Operation) {
    let course = operation
        .operation_id
        .as_deref()
        .is_some_and(|id| COURSE_OPERATIONS.contains(&id));
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter {
            complete_parameter(parameter);
        }
    }
    let responses = &mut operation.responses.responses;
    for status in ANY_REQUEST {
        let answer = || Response::new("").into();
        responses.entry((*status).to_owned()).or_insert_with(answer);
    }
    for (status, response) in responses {
        let RefOr::T(response) = response else {
            continue;
        };
        if response.description.is_empty() {
            meaning(status).clone_into(&mut response.description);
        }
        for header in response.headers.values_mut() {
            if let RefOr::T(header) = header
                && let Some(RefOr::T(Schema::Object(schema))) = &mut header.schema
            {
                never_null(schema);
            }
        }
        if status == "503" && response.content.is_empty() {
            let seconds = ObjectBuilder::new()
                .schema_type(SchemaType::Type(Type::Integer))
                .minimum(Some(1))
                .build();
            let header = HeaderBuilder::new()
                .schema(Some(seconds))
                .description(Some("Seconds to wait before the next try"));
            response
                .headers
                .insert("Retry-After".to_owned(), header.build().into());
        }
        if status.starts_with(['4', '5']) && response.content.is_empty() {
            let (kind, name) = if course {
                ("application/json", CourseError::name())
            } else {
                ("application/problem+json", Problem::name())
            };
            let schema = Ref::from_schema_name(name);
            response
                .content
                .insert(kind.to_owned(), Content::new(Some(schema)).into());
        }
    }
}

/// Headers that several operations read have one syntax each.
fn complete_parameter(parameter: &mut Parameter) {
    match parameter.name.as_str() {
        "If-Match" | "If-None-Match" => {
            let any = text().enum_values(Some(["*"]));
            let tags = text().pattern(Some(conditions::PATTERN));
            let either = AnyOfBuilder::new().item(any).item(tags);
            parameter.schema = Some(Schema::AnyOf(either.build()).into());
        }
        "Idempotency-Key" => {
            let key = text().pattern(Some(items::IDEMPOTENCY_KEY_PATTERN));
            parameter.schema = Some(key.build().into());
        }
        _ => {
            if let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema {
                never_null(schema);
            }
        }
    }
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::String))
}

/// What may be left out of a request, or out of an answer's headers, is absent then, and no null.
fn never_null(schema: &mut Object) {
    if let SchemaType::Array(types) = &mut schema.schema_type {
        types.retain(|one| *one != Type::Null);
        if let [only] = types.as_slice() {
            schema.schema_type = SchemaType::Type(only.clone());
        }
    }
}

/// What a status means where its route does not say more.
fn meaning(status: &str) -> &'static str {
    match status {
        "400" => "The request is malformed; `detail` says where",
        "403" => "Another site asked the browser for this",
        "404" => "There is no such thing",
        "408" => "The body did not arrive in time",
        "412" => "`If-Match` names no current version",
        "413" => "The body is too large",
        "414" => "The address is too long",
        "415" => "The body is not JSON, not in UTF-8, or compressed",
        "422" => "The content is not valid; `errors` says all that is wrong",
        "503" => "What the answer needs is unavailable",
        "504" => "The answer took too long",
        _ => "",
    }
}
