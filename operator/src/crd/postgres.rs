//! `spec.postgres`: the database.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ExternalSpec;

/// Settings of the server that `spec.postgres.parameters` may not have: files, addresses and TLS are the operator's; others run
/// commands, load libraries, take the logs away or give up the safety of data. So are all that begin with `ssl_`,
/// `unix_socket_` and `recovery_target`.
pub const RESERVED_PARAMETERS: [&str; 38] = [
    "allow_system_table_mods",
    "archive_cleanup_command",
    "archive_command",
    "archive_library",
    "archive_mode",
    "config_file",
    "data_directory",
    "data_sync_retry",
    "dynamic_library_path",
    "event_source",
    "external_pid_file",
    "fsync",
    "full_page_writes",
    "hba_file",
    "ident_file",
    "ignore_checksum_failure",
    "include",
    "include_dir",
    "include_if_exists",
    "jit_provider",
    "listen_addresses",
    "local_preload_libraries",
    "log_destination",
    "log_directory",
    "log_filename",
    "logging_collector",
    "password_encryption",
    "port",
    "primary_conninfo",
    "primary_slot_name",
    "recovery_end_command",
    "restart_after_crash",
    "restore_command",
    "session_preload_libraries",
    "shared_preload_libraries",
    "ssl",
    "wal_level",
    "zero_damaged_pages",
];

/// The database.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.engine == 'External' ? has(self.external) : !has(self.external)").message("spec.postgres: engine External needs external.secretRef, and any other engine excludes external: set engine to External, or remove external"))]
pub struct PostgresSpec {
    /// Who runs Postgres. `BuiltIn`: one server on one volume, run by this operator. `External`: somebody else; `external` says where it is, and the other fields of postgres have no effect. Immutable. Default: BuiltIn.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("spec.postgres.engine is immutable: make a second TpStack with the other engine and move the data"))]
    pub engine: PostgresEngine,

    /// Major version. Immutable. Default: "16".
    #[serde(default = "sixteen")]
    #[schemars(length(min = 1, max = 8), extend("enum" = ["16"]))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("spec.postgres.version is immutable: a data directory cannot be opened by another major; make a second TpStack and move the data with pg_dump"))]
    pub version: String,

    /// Name of the application's database. Immutable. Default: appdb.
    #[serde(default = "appdb")]
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("spec.postgres.database is immutable: make a second TpStack with the other name and move the data"))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z_][a-z0-9_]*$')").message("spec.postgres.database must be lower-case letters, digits and '_', not starting with a digit: for example appdb"))]
    #[x_kube(validation = Rule::new("!(self in ['postgres', 'template0', 'template1'])").message("spec.postgres.database may not be one of Postgres' own databases (postgres, template0, template1): choose another name"))]
    pub database: String,

    /// The volume.
    #[serde(default)]
    pub storage: PostgresStorage,

    /// Settings of the server, as in postgresql.conf; a change restarts it. Refused are those that the operator depends on, that run commands or load libraries, and that give up the safety of data. Default: none. Example: `{max_connections: "200", shared_buffers: 256MB}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 50, "additionalProperties" = {"type": "string", "maxLength": 200}))]
    #[x_kube(validation = Rule::new("self.all(k, k.matches('^[a-z][a-z0-9_]{0,62}([.][a-z][a-z0-9_]{0,62})?$') && self[k].matches('^[ -~]*$'))").message("spec.postgres.parameters must be named as in postgresql.conf, in lower-case letters, digits and '_', with values in printable ASCII: for example work_mem: 16MB"))]
    #[x_kube(validation = Rule::new("self.all(k, !(k in ['allow_system_table_mods', 'archive_cleanup_command', 'archive_command', 'archive_library', 'archive_mode', 'config_file', 'data_directory', 'data_sync_retry', 'dynamic_library_path', 'event_source', 'external_pid_file', 'fsync', 'full_page_writes', 'hba_file', 'ident_file', 'ignore_checksum_failure', 'include', 'include_dir', 'include_if_exists', 'jit_provider', 'listen_addresses', 'local_preload_libraries', 'log_destination', 'log_directory', 'log_filename', 'logging_collector', 'password_encryption', 'port', 'primary_conninfo', 'primary_slot_name', 'recovery_end_command', 'restart_after_crash', 'restore_command', 'session_preload_libraries', 'shared_preload_libraries', 'ssl', 'wal_level', 'zero_damaged_pages']) && !k.startsWith('ssl_') && !k.startsWith('unix_socket_') && !k.startsWith('recovery_target'))").message("spec.postgres.parameters may not set what the operator depends on, what runs commands or loads libraries, or what gives up the safety of data (kubectl explain tpstack.spec.postgres.parameters): remove the entry"))]
    pub parameters: BTreeMap<String, String>,

    /// CPU and memory of the server's container. Shared memory counts: the limit must hold `shared_buffers`. Default: requests 100m CPU and 128Mi memory, limit 512Mi memory. Example: `{requests: {memory: 1Gi}, limits: {memory: 2Gi}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,

    /// With engine External: the server. The Secret's keys: host, port, database, username, password, sslmode (disable, prefer, require, verify-ca or verify-full) and, where `authority` says so, ca.crt. Another Secret is another database, whose migrations are run again. Example: `{secretRef: {name: shop-db}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalSpec>,
}

/// Who runs Postgres.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PostgresEngine {
    /// One server on one volume, run by this operator.
    #[default]
    BuiltIn,
    /// Somebody else.
    External,
}

/// The database's volume.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.storageClassName) == has(oldSelf.storageClassName)").message("spec.postgres.storage.storageClassName is immutable, as it is on a volume claim: make a second TpStack with the other class and move the data"))]
pub struct PostgresStorage {
    /// Size in bytes, with a unit. It may grow where the storage class allows it, never shrink. Default: 1Gi. Example: 20Gi
    #[serde(default = "one_gibibyte")]
    #[schemars(length(min = 1, max = 20))]
    #[x_kube(validation = Rule::new("self.matches('^[1-9][0-9]{0,14}(Ki|Mi|Gi|Ti|k|M|G|T)?$')").message("spec.postgres.storage.size must be a whole number with a unit such as Mi or Gi: for example 20Gi"))]
    #[x_kube(validation = Rule::new("!isQuantity(self) || !isQuantity(oldSelf) || quantity(self).compareTo(quantity(oldSelf)) >= 0").message("spec.postgres.storage.size may only grow: a volume cannot shrink; keep the present size, or make a second TpStack and move the data"))]
    pub size: String,

    /// Class of the volume. Immutable. Unset: the cluster's default class. Example: standard
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("spec.postgres.storage.storageClassName is immutable, as it is on a volume claim: make a second TpStack with the other class and move the data"))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')").message("spec.postgres.storage.storageClassName must be the name of a storage class: for example standard"))]
    pub storage_class_name: Option<String>,
}

fn sixteen() -> String {
    "16".to_owned()
}

fn appdb() -> String {
    "appdb".to_owned()
}

fn one_gibibyte() -> String {
    "1Gi".to_owned()
}

impl Default for PostgresSpec {
    fn default() -> Self {
        Self {
            engine: PostgresEngine::default(),
            version: sixteen(),
            database: appdb(),
            storage: PostgresStorage::default(),
            parameters: BTreeMap::new(),
            resources: None,
            external: None,
        }
    }
}

impl Default for PostgresStorage {
    fn default() -> Self {
        Self {
            size: one_gibibyte(),
            storage_class_name: None,
        }
    }
}
