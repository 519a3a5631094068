//! A test's own namespace, and its turn with the shared operator.

use std::sync::{Mutex, PoisonError};

use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, ListParams, PostParams},
};
use serde_json::{Value, json};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{
    kinds,
    objects::object,
    pods::{Migrations, Migrator},
    setup::{self, OPERATOR_ACCOUNT, OPERATOR_NAMESPACE},
    stack::Stack,
};

/// Tests that leave the operator and the CRDs alone run side by side; the others run alone.
static TURNS: RwLock<()> = RwLock::const_new(());
/// Namespaces of finished tests, whose stacks the next test removes so that they cost nobody time.
static FINISHED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// How the names of namespaces begin: of those that keep what they were granted, and of those where a test gives and
/// takes. In the latter alone may the operator ever be refused for want of a right: `tests/rights` looks.
const GRANTED: &str = "stacks-";
const UNGRANTED: &str = "ungranted-";

/// A namespace of one's own.
pub(crate) struct Sandbox {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    migrator: Migrator,
    turn: Option<Turn>,
}

enum Turn {
    Shared {
        _guard: RwLockReadGuard<'static, ()>,
    },
    Alone {
        _guard: RwLockWriteGuard<'static, ()>,
    },
}

impl Sandbox {
    /// For a test that runs beside others.
    pub(crate) async fn shared() -> Self {
        let turn = Turn::Shared {
            _guard: TURNS.read().await,
        };
        let sandbox = Self::new(Some(turn), GRANTED).await;
        sandbox.grant().await;
        sandbox
    }

    /// For a test that stops the operator or changes CRDs: no other test runs meanwhile.
    pub(crate) async fn alone() -> Self {
        let turn = Turn::Alone {
            _guard: TURNS.write().await,
        };
        let sandbox = Self::new(Some(turn), GRANTED).await;
        sandbox.grant().await;
        setup::disturb();
        sandbox
    }

    /// For a test that runs beside others, in a namespace where the operator has no rights but those that the test gives
    /// and takes.
    pub(crate) async fn ungranted() -> Self {
        let turn = Turn::Shared {
            _guard: TURNS.read().await,
        };
        Self::new(Some(turn), UNGRANTED).await
    }

    /// One more granted namespace, for as long as this one.
    pub(crate) async fn beside(&self) -> Self {
        let sandbox = Self::make(self.client.clone(), None, GRANTED).await;
        sandbox.grant().await;
        sandbox
    }

    /// One more namespace without rights, for as long as this one.
    pub(crate) async fn ungranted_beside(&self) -> Self {
        Self::make(self.client.clone(), None, UNGRANTED).await
    }

    async fn new(turn: Option<Turn>, prefix: &str) -> Self {
        let sandbox = Self::make(setup::administrator().await, turn, prefix).await;
        setup::ensure(&sandbox).await;
        let finished =
            std::mem::take(&mut *FINISHED.lock().unwrap_or_else(PoisonError::into_inner));
        for namespace in finished {
            let stacks: Api<DynamicObject> = Api::namespaced_with(
                sandbox.client.clone(),
                &namespace,
                &kinds::TPSTACK.resource(),
            );
            drop(
                stacks
                    .delete_collection(&DeleteParams::default(), &ListParams::default())
                    .await,
            );
        }
        sandbox
    }

    async fn make(client: Client, turn: Option<Turn>, prefix: &str) -> Self {
        // Pods of a stack must be admitted here, or they never become ready.
        let namespace = object(json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"generateName": prefix, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        }));
        let namespaces: Api<DynamicObject> =
            Api::all_with(client.clone(), &kinds::NAMESPACE.resource());
        let made = namespaces
            .create(&PostParams::default(), &namespace)
            .await
            .expect("an administrator may make namespaces");
        let namespace = made.metadata.name.expect("the server names it");
        let pods = Api::namespaced_with(client.clone(), &namespace, &kinds::POD.resource());
        Self {
            migrator: Migrator::start(pods),
            client,
            namespace,
            turn,
        }
    }

    /// Gives the operator its rights on children here, as `watch.namespaces` of the chart does.
    pub(crate) async fn grant(&self) {
        let binding = json!({
            "metadata": {"name": OPERATOR_ACCOUNT},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "tpstack-operator-children"},
            "subjects": [{"kind": "ServiceAccount", "name": OPERATOR_ACCOUNT, "namespace": OPERATOR_NAMESPACE}],
        });
        self.create(&kinds::ROLE_BINDING, binding).await;
    }

    /// How migrations end here from now on; well, unless a test says otherwise.
    pub(crate) fn migrations(&self, wanted: Migrations) {
        self.migrator.set(wanted);
    }

    /// Whether this test runs alone; asked by what only such a test may do.
    pub(crate) fn assert_alone(&self) {
        assert!(
            matches!(self.turn, Some(Turn::Alone { .. })),
            "only a test that runs alone may do this"
        );
    }

    /// A new stack.
    pub(crate) async fn stack(&self, name: &str, spec: Value) -> Stack<'_> {
        self.create(
            &kinds::TPSTACK,
            json!({"metadata": {"name": name}, "spec": spec}),
        )
        .await;
        Stack::named(self, name)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            FINISHED
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(self.namespace.clone());
        }
    }
}
