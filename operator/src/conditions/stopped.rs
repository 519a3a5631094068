//! What is told of a stack that its spec stops. [pure]

use super::{Finding, count, is_observed};
use crate::desired::metadata::Component;
use crate::kind::{Kind, ObjectId};
use crate::migration::Stage;
use crate::outcome::Worked;

/// What is told of the whole once no pod is left.
pub fn whole(worked: &Worked) -> Option<Finding> {
    let stack = &worked.stack;
    stack.stopped.then(|| {
        Finding::yes(
            "Stopped",
            format!(
                "spec.stopped is true: no pod is left; volumes, credentials, Services and routes stay. To start again: \
                 kubectl --namespace {} patch tpstack {} --type=merge --patch='{{\"spec\":{{\"stopped\":false}}}}'",
                stack.namespace, stack.name
            ),
        )
    })
}

/// What is told of the API: its pods end, and those of a migration.
pub(super) fn api(worked: &Worked) -> Finding {
    let migration = &worked.work.migration;
    if let Stage::Waits(message) = &migration.stage {
        return Finding::no("Progressing", message.clone());
    }
    if migration.is_withheld() {
        return Finding::yes("Stopped", "spec.stopped is true: it was never started");
    }
    workload(worked, Kind::Deployment, Component::Api)
}

/// What is told of a store.
pub(super) fn store(worked: &Worked, component: Component) -> Finding {
    workload(worked, Kind::StatefulSet, component)
}

fn workload(worked: &Worked, kind: Kind, component: Component) -> Finding {
    let id = ObjectId::new(kind, component.name(&worked.stack.name));
    let Some(object) = worked.applied.objects.get(&id) else {
        return Finding::no("Progressing", format!("{id} is not applied yet"));
    };
    if !is_observed(object) {
        return Finding::no("Progressing", format!("{id} waits for its controller"));
    }
    // A Deployment counts pods that are on their way out apart, where its API server does so at all.
    let left = count(object, "replicas") + count(object, "terminatingReplicas");
    if left > 0 {
        return Finding::no("Progressing", format!("{left} pods of {id} have not ended"));
    }
    Finding::yes("Stopped", "spec.stopped is true: no pod is left")
}
