//! Every child, the part of the spec that it is made from, and its counterpart in `compose/`. Tests hold it to what is
//! rendered, to the schema and to the Compose files. [data]

use crate::kind::{Kind, ObjectId};

/// One child of every stack that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What its name has after the stack's and a hyphen; a `*` at the end stands for anything.
    pub name: &'static str,
    /// Fields of the spec that make it or change it; a field stands for all below it.
    pub spec: &'static [&'static str],
    /// What stands for it in the Compose stack.
    pub compose: &'static [Counterpart],
}

/// Something of `compose/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counterpart {
    /// A service.
    Service(&'static str),
    /// A field of a service: its name and the path below it.
    Field(&'static str, &'static [&'static str]),
    /// A volume.
    Volume(&'static str),
    /// A network.
    Network(&'static str),
    /// A file, below `compose/`.
    File(&'static str),
    /// Nothing; why.
    Nothing(&'static str),
}

impl std::fmt::Display for Counterpart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Service(name) => write!(f, "service {name}"),
            Self::Field(service, path) => write!(f, "service {service}: {}", path.join(": ")),
            Self::Volume(name) => write!(f, "volume {name}"),
            Self::Network(name) => write!(f, "network {name}"),
            Self::File(path) => write!(f, "compose/{path}"),
            Self::Nothing(why) => write!(f, "nothing: {why}"),
        }
    }
}

use Counterpart::{Field, File, Network, Nothing, Service, Volume};

/// The entry of a child; `None` for one that nobody has explained.
pub(super) fn entry(stack: &str, id: &ObjectId) -> Option<&'static Entry> {
    let suffix = id.name.strip_prefix(stack)?.strip_prefix('-')?;
    entries(id.kind).iter().find(|entry| entry.is_named(suffix))
}

impl Entry {
    /// Whether a child with this after its stack's name is meant.
    pub fn is_named(&self, suffix: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(start) => suffix.starts_with(start),
            None => suffix == self.name,
        }
    }
}

/// The children of a kind. A new kind does not compile without.
pub fn entries(kind: Kind) -> &'static [Entry] {
    match kind {
        Kind::Secret => SECRETS,
        Kind::PersistentVolumeClaim => VOLUMES,
        Kind::ServiceAccount => SERVICE_ACCOUNTS,
        Kind::ConfigMap => CONFIG_MAPS,
        Kind::Service => SERVICES,
        Kind::Deployment => DEPLOYMENTS,
        Kind::StatefulSet => STATEFUL_SETS,
        Kind::Job => JOBS,
        Kind::HorizontalPodAutoscaler => AUTOSCALERS,
        Kind::PodDisruptionBudget => DISRUPTION_BUDGETS,
        Kind::NetworkPolicy => NETWORK_POLICIES,
        Kind::IngressRoute => INGRESS_ROUTES,
        Kind::Middleware => MIDDLEWARES,
        Kind::Certificate => CERTIFICATES,
        Kind::ServiceMonitor => SERVICE_MONITORS,
        Kind::PrometheusRule => PROMETHEUS_RULES,
    }
}

const SECRETS: &[Entry] = &[
    Entry {
        name: "postgres-credentials",
        spec: &["spec.postgres", "spec.deletionPolicy"],
        compose: &[Service("init"), Volume("secrets")],
    },
    Entry {
        name: "redis-credentials",
        spec: &["spec.redis", "spec.deletionPolicy"],
        compose: &[Service("init"), Volume("secrets")],
    },
];

const VOLUMES: &[Entry] = &[
    Entry {
        name: "postgres-data",
        spec: &["spec.postgres", "spec.deletionPolicy"],
        compose: &[Volume("postgres-data")],
    },
    Entry {
        name: "redis-data",
        spec: &["spec.redis", "spec.deletionPolicy"],
        compose: &[Volume("redis-data")],
    },
];

const SERVICE_ACCOUNTS: &[Entry] = &[Entry {
    name: "api",
    spec: &["spec.api"],
    compose: &[Nothing("a container of Compose has no identity in an API")],
}];

const CONFIG_MAPS: &[Entry] = &[
    Entry {
        name: "api-dashboard",
        spec: &["spec.monitoring"],
        compose: &[File("grafana/dashboards")],
    },
    Entry {
        name: "postgres",
        spec: &["spec.postgres"],
        compose: &[File("postgres/start.sh"), File("postgres/initdb")],
    },
    Entry {
        name: "redis",
        spec: &["spec.redis"],
        compose: &[File("redis/redis.conf"), Field("redis", &["command"])],
    },
];

const SERVICES: &[Entry] = &[
    Entry {
        name: "api",
        spec: &["spec.api"],
        compose: &[
            Network("edge"),
            Field(
                "api",
                &[
                    "labels",
                    "traefik.http.services.api.loadbalancer.server.port",
                ],
            ),
        ],
    },
    Entry {
        name: "postgres",
        spec: &["spec.postgres"],
        compose: &[Network("data")],
    },
    Entry {
        name: "redis",
        spec: &["spec.redis"],
        compose: &[Network("data")],
    },
];

/// What the API's pods are made from, those of its migrations too.
const API_PODS: &[&str] = &[
    "spec.api",
    "spec.stopped",
    "spec.postgres.engine",
    "spec.postgres.external",
    "spec.redis.engine",
    "spec.redis.external",
    "spec.redis.auth",
];

const DEPLOYMENTS: &[Entry] = &[Entry {
    name: "api",
    spec: API_PODS,
    compose: &[Service("api")],
}];

const STATEFUL_SETS: &[Entry] = &[
    Entry {
        name: "postgres",
        spec: &["spec.postgres", "spec.stopped"],
        compose: &[Service("postgres")],
    },
    Entry {
        name: "redis",
        spec: &["spec.redis", "spec.stopped"],
        compose: &[Service("redis")],
    },
];

const JOBS: &[Entry] = &[Entry {
    name: "api-migrate-*",
    spec: API_PODS,
    compose: &[Service("migrate")],
}];

const AUTOSCALERS: &[Entry] = &[Entry {
    name: "api",
    spec: &["spec.api.autoscaling", "spec.stopped"],
    compose: &[Nothing(
        "docker compose up --scale api=3 sets the number by hand",
    )],
}];

const DISRUPTION_BUDGETS: &[Entry] = &[Entry {
    name: "api",
    spec: &["spec.api"],
    compose: &[Nothing("one machine drains no node")],
}];

const NETWORK_POLICIES: &[Entry] = &[
    Entry {
        name: "api",
        spec: &[
            "spec.network",
            "spec.api.port",
            "spec.postgres.engine",
            "spec.redis.engine",
        ],
        compose: &[Field("api", &["networks"])],
    },
    Entry {
        name: "api-migrate",
        spec: &["spec.network", "spec.postgres.engine", "spec.redis.engine"],
        compose: &[Field("migrate", &["networks"])],
    },
    Entry {
        name: "postgres",
        spec: &["spec.network", "spec.postgres.engine"],
        compose: &[Network("data")],
    },
    Entry {
        name: "redis",
        spec: &["spec.network", "spec.redis.engine"],
        compose: &[Network("data")],
    },
];

const INGRESS_ROUTES: &[Entry] = &[
    Entry {
        name: "api",
        spec: &["spec.ingress"],
        compose: &[
            Field("api", &["labels", "traefik.http.routers.api.rule"]),
            Field("api", &["labels", "traefik.http.routers.api.entrypoints"]),
        ],
    },
    Entry {
        name: "api-redirect",
        spec: &["spec.ingress"],
        compose: &[File("traefik/dynamic/stack.yml")],
    },
    Entry {
        name: "api-metrics",
        spec: &["spec.ingress"],
        compose: &[Nothing("behind Docker every address is the gateway's")],
    },
];

const MIDDLEWARES: &[Entry] = &[
    Entry {
        name: "api-redirect",
        spec: &["spec.ingress"],
        compose: &[File("traefik/dynamic/stack.yml")],
    },
    Entry {
        name: "api-headers",
        spec: &["spec.ingress"],
        compose: &[File("traefik/dynamic/stack.yml")],
    },
    Entry {
        name: "api-rate-limit",
        spec: &["spec.ingress"],
        compose: &[File("traefik/dynamic/stack.yml")],
    },
    Entry {
        name: "api-compress",
        spec: &["spec.ingress"],
        compose: &[File("traefik/dynamic/stack.yml")],
    },
    Entry {
        name: "api-retry",
        spec: &["spec.ingress"],
        compose: &[File("traefik/dynamic/stack.yml")],
    },
    Entry {
        name: "api-in-flight",
        spec: &["spec.ingress"],
        compose: &[Nothing("Compose bounds what Traefik takes by rate alone")],
    },
    Entry {
        name: "api-basic-auth",
        spec: &["spec.ingress"],
        compose: &[Nothing("the API of Compose asks nobody for a password")],
    },
    Entry {
        name: "api-metrics",
        spec: &["spec.ingress"],
        compose: &[Nothing("behind Docker every address is the gateway's")],
    },
];

const CERTIFICATES: &[Entry] = &[Entry {
    name: "api",
    spec: &["spec.ingress"],
    compose: &[Service("init"), File("acme.yaml")],
}];

const SERVICE_MONITORS: &[Entry] = &[Entry {
    name: "api",
    spec: &["spec.monitoring"],
    compose: &[File("prometheus/prometheus.yml"), Network("metrics")],
}];

const PROMETHEUS_RULES: &[Entry] = &[Entry {
    name: "api",
    spec: &["spec.monitoring", "spec.stopped"],
    compose: &[File("prometheus/rules")],
}];
