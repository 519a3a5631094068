//! `spec.postgres`: the database.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The database.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PostgresSpec {
    /// Who runs Postgres. `BuiltIn`: one server on one volume, run by this operator. Immutable. Default: BuiltIn.
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
}

/// Who runs Postgres.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PostgresEngine {
    /// One server on one volume, run by this operator.
    #[default]
    BuiltIn,
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
