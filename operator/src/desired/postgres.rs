//! Postgres: `ConfigMap`, `StatefulSet`, Service; the shape of its Secret. [pure]

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, ContainerPort, EnvVar, PersistentVolumeClaimVolumeSource, PodSpec,
    PodTemplateSpec, Service, ServicePort, ServiceSpec, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use sha2::{Digest, Sha256};

use super::metadata::{CONFIG_DIGEST, Component};
use super::{Children, pod};
use crate::kept::Pair;
use crate::settings::Images;
use crate::validate::Stack;

mod parameters;

/// Port of the server and its Service.
pub const PORT: u16 = 5432;
/// The application's role: owner of its database, no superuser.
pub const APPLICATION_ROLE: &str = "appuser";
/// Key of the superuser's password. The superuser logs in through the pod's socket without it; initdb asks for one.
pub const SUPERUSER_PASSWORD: &str = "superuser-password";

/// Makes the application's role and database, at the end of initdb. The Compose stack's own script: one source, so that
/// a database made by either runtime is the same.
const APPLICATION_SCRIPT: &str = "10-application.sh";

const POSTGRES: Component = Component::Postgres;

/// User and group of the official Debian image.
const USER: i64 = 999;

const DATA: &str = "/var/lib/postgresql/data";

/// C sorts by bytes, the same on every libc, so that a data directory survives a change of base image; checksums find
/// torn pages; only the server's own user may use the socket, and everybody else needs a password.
const INITDB_ARGS: &str = "--data-checksums --encoding=UTF8 --locale-provider=libc --lc-collate=C --lc-ctype=C.UTF-8 --auth-local=peer --auth-host=scram-sha-256";

/// Adds Postgres' children.
pub fn add(stack: &Stack, images: &Images, pair: &Pair, children: &mut Children) {
    let name = POSTGRES.name(&stack.name);
    children.config_maps.push(ConfigMap {
        metadata: POSTGRES.owned(stack, name.clone()),
        data: Some(files(stack, pair)),
        ..ConfigMap::default()
    });
    children.services.push(Service {
        metadata: POSTGRES.owned(stack, name),
        spec: Some(ServiceSpec {
            selector: Some(POSTGRES.selector_labels(&stack.name)),
            ports: Some(vec![ServicePort {
                name: Some("postgres".to_owned()),
                port: PORT.into(),
                target_port: Some(IntOrString::String("postgres".to_owned())),
                protocol: Some("TCP".to_owned()),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    });
    children.stateful_sets.push(stateful_set(stack, images));
}

/// Values of the Secret, in the shape every engine publishes.
pub fn credentials(
    stack: &Stack,
    mut password: impl FnMut() -> String,
) -> BTreeMap<String, String> {
    [
        ("host", POSTGRES.name(&stack.name)),
        ("port", PORT.to_string()),
        ("database", stack.postgres.database.clone()),
        ("username", APPLICATION_ROLE.to_owned()),
        ("password", password()),
        ("sslmode", "disable".to_owned()),
        (SUPERUSER_PASSWORD, password()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

fn files(stack: &Stack, pair: &Pair) -> BTreeMap<String, String> {
    let mut data = BTreeMap::from([
        (
            "initialize.sh".to_owned(),
            include_str!("postgres/initialize.sh").to_owned(),
        ),
        (
            APPLICATION_SCRIPT.to_owned(),
            include_str!("../../../compose/postgres/initdb/10-application.sh").to_owned(),
        ),
    ]);
    // A file, not a variable: it appears without a restart and is read at the next start.
    if pair.initialized {
        data.insert("initialized".to_owned(), "true\n".to_owned());
    }
    data.extend(configuration(stack).map(|text| (parameters::FILE.to_owned(), text)));
    data
}

/// The user's settings; `None` where there are none, and the server reads what initdb wrote.
fn configuration(stack: &Stack) -> Option<String> {
    let parameters = &stack.postgres.parameters;
    (!parameters.is_empty()).then(|| parameters::file(&format!("{DATA}/pgdata"), parameters))
}

/// Restarts the pod when the settings change: some are read at the start alone.
fn annotations(stack: &Stack) -> Option<BTreeMap<String, String>> {
    let digest = format!("{:x}", Sha256::digest(configuration(stack)?));
    let digest = digest.get(..16).unwrap_or_default();
    Some(BTreeMap::from([(
        CONFIG_DIGEST.to_owned(),
        digest.to_owned(),
    )]))
}

fn stateful_set(stack: &Stack, images: &Images) -> StatefulSet {
    StatefulSet {
        metadata: POSTGRES.owned(stack, POSTGRES.name(&stack.name)),
        spec: Some(StatefulSetSpec {
            replicas: Some(i32::from(!stack.stopped)),
            service_name: Some(POSTGRES.name(&stack.name)),
            selector: POSTGRES.selector(&stack.name),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(POSTGRES.labels(&stack.name)),
                    annotations: annotations(stack),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod_spec(stack, images)),
            },
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    }
}

/// What both containers have in common.
fn container(stack: &Stack, name: &str, images: &Images, mounts: Vec<VolumeMount>) -> Container {
    let common = [
        pod::mount("data", DATA, false),
        pod::mount("run", "/var/run/postgresql", false),
        pod::mount("tmp", "/tmp", false),
    ];
    let resources = stack.postgres.resources.clone();
    let resources = resources.unwrap_or_else(|| pod::resources("100m", "128Mi", "512Mi"));
    Container {
        name: name.to_owned(),
        image: Some(images.postgres.clone()),
        security_context: Some(pod::confined()),
        resources: Some(resources),
        volume_mounts: Some(common.into_iter().chain(mounts).collect()),
        ..Container::default()
    }
}

fn pgdata() -> EnvVar {
    pod::env("PGDATA", format!("{DATA}/pgdata"))
}

/// Makes the data directory if there is none.
fn initialize(stack: &Stack, images: &Images) -> Container {
    let secret = |key: &str| format!("{}/postgres/{key}", pod::SECRETS);
    let script = format!("/docker-entrypoint-initdb.d/{APPLICATION_SCRIPT}");
    let mounts = vec![
        pod::mount("scripts", "/etc/tpstack", true),
        VolumeMount {
            sub_path: Some(APPLICATION_SCRIPT.to_owned()),
            ..pod::mount("scripts", script, true)
        },
        pod::mount("credentials", secret("").trim_end_matches('/'), true),
    ];
    Container {
        command: Some(vec![
            "bash".to_owned(),
            "/etc/tpstack/initialize.sh".to_owned(),
        ]),
        env: Some(vec![
            pgdata(),
            pod::env("POSTGRES_DB", "postgres"),
            pod::env("POSTGRES_INITDB_ARGS", INITDB_ARGS),
            pod::env("POSTGRES_PASSWORD_FILE", secret(SUPERUSER_PASSWORD)),
            pod::env("APP_USER", APPLICATION_ROLE),
            pod::env("APP_DATABASE", &stack.postgres.database),
            pod::env("APP_PASSWORD_FILE", secret("password")),
        ]),
        ..container(stack, "initialize", images, mounts)
    }
}

fn server(stack: &Stack, images: &Images) -> Container {
    let probe = |period, failures| {
        // Over TCP: while initdb's scripts run, the server listens on the socket alone. As the application's role: the
        // superuser is refused over TCP, with a line in the log each time.
        let user = format!("--username={APPLICATION_ROLE}");
        let database = format!("--dbname={}", stack.postgres.database);
        let command = [
            "pg_isready",
            "--quiet",
            "--host=127.0.0.1",
            &user,
            &database,
        ];
        pod::exec_probe(&command, period, failures)
    };
    let mut args = vec!["postgres".to_owned()];
    let mut mounts = vec![pod::mount("shm", "/dev/shm", false)];
    if configuration(stack).is_some() {
        args.push(format!("--config-file=/etc/tpstack/{}", parameters::FILE));
        mounts.push(pod::mount("scripts", "/etc/tpstack", true));
    }
    Container {
        args: Some(args),
        env: Some(vec![pgdata()]),
        ports: Some(vec![ContainerPort {
            name: Some("postgres".to_owned()),
            container_port: PORT.into(),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        // Crash recovery may replay a lot of log: ten minutes before anybody loses patience.
        startup_probe: Some(probe(2, 300)),
        readiness_probe: Some(probe(5, 3)),
        liveness_probe: Some(probe(10, 6)),
        ..container(stack, "postgres", images, mounts)
    }
}

fn pod_spec(stack: &Stack, images: &Images) -> PodSpec {
    let credentials = POSTGRES.credentials_name(&stack.name);
    PodSpec {
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        security_context: Some(pod::security(USER)),
        // A shutdown writes a checkpoint first.
        termination_grace_period_seconds: Some(120),
        init_containers: Some(vec![initialize(stack, images)]),
        containers: vec![server(stack, images)],
        volumes: Some(vec![
            Volume {
                name: "data".to_owned(),
                persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                    claim_name: POSTGRES.volume_name(&stack.name),
                    ..PersistentVolumeClaimVolumeSource::default()
                }),
                ..Volume::default()
            },
            pod::secret_volume(
                "credentials",
                &credentials,
                &["password", SUPERUSER_PASSWORD],
            ),
            pod::config_volume("scripts", &POSTGRES.name(&stack.name), 0o555),
            pod::scratch("run", "16Mi"),
            pod::scratch("tmp", "64Mi"),
            // Parallel queries share memory here; a container's own /dev/shm has 64 MiB.
            pod::memory("shm", "128Mi"),
        ]),
        ..PodSpec::default()
    }
}
