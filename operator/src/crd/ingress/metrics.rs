//! `spec.ingress.metrics`: who may read /metrics from outside.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Who may read /metrics from outside: a route of its own, for exactly this path, that these addresses alone pass.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct MetricsAccessSpec {
    /// Addresses and ranges that may: IPv4 or IPv6, at least one, at most 50. Example: `[192.0.2.0/24, 2001:db8::1]`.
    #[schemars(length(min = 1, max = 50), inner(length(min = 2, max = 49)), extend("x-kubernetes-list-type" = "set", "items" = {"type": "string", "minLength": 2, "maxLength": 49, "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}, {"format": "cidr"}]}))]
    pub allow: Vec<String>,

    /// Which address is looked at: that of whoever is connected to Traefik, or one that a proxy before it has told. Example: `{depth: 0}`.
    pub ip_strategy: IpStrategySpec,
}

/// Which address is looked at.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct IpStrategySpec {
    /// 0: the address of the connection. 1 and more: that entry of X-Forwarded-For, counted from its end: as many as there are proxies before Traefik, and Traefik must trust them (forwardedHeaders.trustedIPs of the entry point), or nobody is let in. Example: 0
    #[schemars(range(min = 0, max = 10))]
    pub depth: i32,
}
