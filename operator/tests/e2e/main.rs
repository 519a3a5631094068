//! The cluster level: the chart, our images and the pinned third-party ones on a real kind cluster, with Traefik in front.
//! Nothing here knows the operator's code: it is driven as its users drive it, by helm, kubectl and https.
//!
//! The steps share one cluster and come in this order. Run them with `make test-cluster`.

mod cluster;
mod command;
mod data;
mod diagnosis;
mod http;
mod images;
mod install;
mod kept;
mod logs;
mod rights;
mod route;
mod runner;
mod stack;
mod traefik;

use cluster::Cluster;
use runner::{Step, essential, independent};
use std::process::ExitCode;

const STEPS: &[Step] = &[
    essential("the_images_are_on_the_node", images::are_on_the_node),
    essential(
        "traefik_runs_with_its_crd_provider",
        traefik::runs_with_its_crd_provider,
    ),
    independent(
        "a_namespace_that_is_missing_fails_the_install_before_anything_is_made",
        install::refuses_a_missing_namespace,
    ),
    essential(
        "the_chart_installs_and_the_operator_runs",
        install::installs_and_runs,
    ),
    independent(
        "the_server_takes_the_manifests_rendered_from_the_chart",
        install::manifests_are_taken,
    ),
    essential("the_minimal_stack_becomes_ready", stack::becomes_ready),
    independent("its_pods_run_and_its_children_are_there", stack::runs),
    independent(
        "pod_security_restricted_is_enforced_where_it_runs",
        stack::is_restricted,
    ),
    independent(
        "the_operator_has_the_rights_of_the_chart_and_no_others",
        rights::are_those_of_the_chart,
    ),
    independent(
        "https_answers_from_the_database_then_from_the_cache",
        route::database_then_cache,
    ),
    independent("an_item_is_made_and_read", route::keeps_an_item),
    independent("http_redirects_to_https", route::redirects),
    independent("no_spelling_of_metrics_gets_metrics", route::hides_metrics),
    independent(
        "postgres_is_initialised_as_promised",
        data::is_initialised_as_promised,
    ),
    independent(
        "a_row_and_its_volume_outlive_the_postgres_pod",
        data::outlives_its_pod,
    ),
    independent(
        "the_api_answers_while_redis_is_gone",
        data::answers_without_redis,
    ),
    independent(
        "a_stack_deleted_and_made_again_has_its_data",
        kept::is_taken_up_again,
    ),
    independent(
        "the_operator_logs_no_error_and_is_never_restarted",
        logs::hold_no_error,
    ),
    independent("no_secret_is_in_a_log_or_an_object", logs::hold_no_secret),
];

fn main() -> ExitCode {
    runner::run(STEPS, Cluster::from_environment, diagnosis::print)
}
