//! Redis: `ConfigMap`, `StatefulSet`, Service; the shape of its Secret. [pure]

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, ContainerPort, PersistentVolumeClaimVolumeSource, PodSpec,
    PodTemplateSpec, Service, ServicePort, ServiceSpec, Volume,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use sha2::{Digest, Sha256};

use super::metadata::{CONFIG_DIGEST, Component};
use super::{Children, pod};
use crate::kept::Pair;
use crate::settings::Images;
use crate::validate::{Redis, Stack};

/// Port of the server and its Service.
pub const PORT: u16 = 6379;
/// The application's ACL user.
pub const APPLICATION_USER: &str = "app";

const REDIS: Component = Component::Redis;

/// User and group of the official image.
const USER: i64 = 999;

/// What the application may do: everything but what could harm the server or other keys at once.
const PERMISSIONS: &str = "~* &* +@all -@admin -@dangerous +info";

/// The ACL file where nobody logs in.
const OPEN_ACL_FILE: &str = "open.acl";

/// Adds Redis' children.
pub fn add(stack: &Stack, redis: &Redis, images: &Images, pair: &Pair, children: &mut Children) {
    let name = REDIS.name(&stack.name);
    let configuration = configuration(redis);
    let mut files = BTreeMap::from([("redis.conf".to_owned(), configuration.clone())]);
    files.extend((!redis.has_password).then(|| (OPEN_ACL_FILE.to_owned(), open_acl())));
    // A new password is a new Secret: its UID stands for what its ACL says.
    let digest = format!(
        "{:x}",
        Sha256::digest(format!("{configuration}{}", pair.credentials_uid))
    );
    children.config_maps.push(ConfigMap {
        metadata: REDIS.owned(stack, name.clone()),
        data: Some(files),
        ..ConfigMap::default()
    });
    children.services.push(Service {
        metadata: REDIS.owned(stack, name),
        spec: Some(ServiceSpec {
            selector: Some(REDIS.selector_labels(&stack.name)),
            ports: Some(vec![ServicePort {
                name: Some("redis".to_owned()),
                port: PORT.into(),
                target_port: Some(IntOrString::String("redis".to_owned())),
                protocol: Some("TCP".to_owned()),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    });
    children.stateful_sets.push(stateful_set(
        stack,
        redis,
        images,
        digest.get(..16).unwrap_or_default(),
    ));
}

/// Values of the Secret. The ACL file holds the password's hash: the server never needs the password itself.
pub fn credentials(
    stack: &Stack,
    mut password: impl FnMut() -> String,
) -> BTreeMap<String, String> {
    let password = password();
    // Nobody without a password.
    let acl = format!(
        "user default off\nuser {APPLICATION_USER} on #{:x} {PERMISSIONS}\n",
        Sha256::digest(&password)
    );
    [
        ("host", REDIS.name(&stack.name)),
        ("port", PORT.to_string()),
        ("username", APPLICATION_USER.to_owned()),
        ("password", password),
        ("users.acl", acl),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

/// The ACL where nobody logs in: everybody is the default user, who may no more than the application.
fn open_acl() -> String {
    format!("user default on nopass {PERMISSIONS}\n")
}

fn configuration(redis: &Redis) -> String {
    // Without a password Redis answers its own pod alone, unless it is told that others are kept out otherwise: they are,
    // by the NetworkPolicy that goes with it.
    let login = if redis.has_password {
        format!("aclfile {}/redis/users.acl\n", pod::SECRETS)
    } else {
        format!("aclfile /etc/tpstack/{OPEN_ACL_FILE}\nprotected-mode no\n")
    };
    let append_only = if redis.storage.is_some() { "yes" } else { "no" };
    format!(
        "# Written by the TpStack operator.\n\
         port {PORT}\n\
         dir /data\n\
         {login}\
         maxmemory {max_memory}\n\
         # Sessions and cache entries expire by themselves: what would go soonest goes first.\n\
         maxmemory-policy volatile-ttl\n\
         appendonly {append_only}\n\
         appendfsync everysec\n\
         save \"\"\n",
        max_memory = redis.max_memory.bytes(),
    )
}

/// Memory limit of the container: data is about 60 % of it; the rest is for buffers and for rewriting the file.
fn memory_limit(redis: &Redis) -> String {
    let mebibytes = (redis.max_memory.bytes() * 10)
        .div_ceil(6)
        .div_ceil(1 << 20)
        .max(32);
    format!("{mebibytes}Mi")
}

fn stateful_set(stack: &Stack, redis: &Redis, images: &Images, digest: &str) -> StatefulSet {
    let annotations = BTreeMap::from([(CONFIG_DIGEST.to_owned(), digest.to_owned())]);
    StatefulSet {
        metadata: REDIS.owned(stack, REDIS.name(&stack.name)),
        spec: Some(StatefulSetSpec {
            replicas: Some(i32::from(!stack.stopped)),
            service_name: Some(REDIS.name(&stack.name)),
            selector: REDIS.selector(&stack.name),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(REDIS.labels(&stack.name)),
                    annotations: Some(annotations),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod_spec(stack, redis, images)),
            },
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    }
}

fn pod_spec(stack: &Stack, redis: &Redis, images: &Images) -> PodSpec {
    let ping = if redis.has_password {
        // Through a file and the environment of one short-lived shell: the password is in no argument list.
        format!(
            "REDISCLI_AUTH=\"$(cat {}/redis/password)\" redis-cli -h 127.0.0.1 --user {APPLICATION_USER} ping | grep -q PONG",
            pod::SECRETS
        )
    } else {
        "redis-cli -h 127.0.0.1 ping | grep -q PONG".to_owned()
    };
    let probe = |period, failures| pod::exec_probe(&["sh", "-c", &ping], period, failures);
    let resources = redis
        .resources
        .clone()
        .unwrap_or_else(|| pod::resources("50m", "32Mi", &memory_limit(redis)));
    let mut mounts = vec![
        pod::mount("data", "/data", false),
        pod::mount("configuration", "/etc/tpstack", true),
    ];
    mounts.extend(
        redis
            .has_password
            .then(|| pod::mount("credentials", format!("{}/redis", pod::SECRETS), true)),
    );
    let container = Container {
        name: "redis".to_owned(),
        image: Some(images.redis.clone()),
        args: Some(vec![
            "redis-server".to_owned(),
            "/etc/tpstack/redis.conf".to_owned(),
        ]),
        ports: Some(vec![ContainerPort {
            name: Some("redis".to_owned()),
            container_port: PORT.into(),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        // Reading a long append-only file back takes its time.
        startup_probe: Some(probe(2, 150)),
        readiness_probe: Some(probe(5, 3)),
        liveness_probe: Some(probe(10, 6)),
        resources: Some(resources),
        security_context: Some(pod::confined()),
        volume_mounts: Some(mounts),
        ..Container::default()
    };
    let data = match &redis.storage {
        Some(_) => Volume {
            name: "data".to_owned(),
            persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                claim_name: REDIS.volume_name(&stack.name),
                ..PersistentVolumeClaimVolumeSource::default()
            }),
            ..Volume::default()
        },
        None => pod::scratch("data", "64Mi"),
    };
    let mut volumes = vec![
        data,
        pod::config_volume("configuration", &REDIS.name(&stack.name), 0o444),
    ];
    volumes.extend(redis.has_password.then(|| {
        let secret = REDIS.credentials_name(&stack.name);
        pod::secret_volume("credentials", &secret, &["password", "users.acl"])
    }));
    PodSpec {
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        security_context: Some(pod::security(USER)),
        termination_grace_period_seconds: Some(30),
        containers: vec![container],
        volumes: Some(volumes),
        ..PodSpec::default()
    }
}

#[cfg(test)]
mod tests {
    use super::memory_limit;
    use crate::quantity::Size;
    use crate::validate::Redis;

    #[test]
    fn data_is_at_most_sixty_percent_of_the_memory_limit() {
        for (max_memory, limit) in [
            ("64Mi", "107Mi"),
            ("256Mi", "427Mi"),
            ("1Mi", "32Mi"),
            ("1Gi", "1707Mi"),
        ] {
            let redis = Redis {
                max_memory: Size::parse(max_memory).unwrap(),
                storage: None,
                has_password: true,
                resources: None,
            };
            assert_eq!(memory_limit(&redis), limit, "{max_memory}");
        }
    }
}
