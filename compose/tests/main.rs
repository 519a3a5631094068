//! The Compose level: the stack of `compose.yaml` really up in a Docker engine, asked from outside.
//!
//! Lists rather than `#[test]` functions: starting a stack is the dear part, so sentences share one, what disturbs it
//! comes last, and it is gone when its list is done, whatever happened.
//! `make test-compose` runs it; words on the command line choose the sentences that contain one of them.
#![expect(
    clippy::indexing_slicing,
    reason = "a JSON value that is asked for what it has not answers null, it does not panic"
)]

mod acme;
mod alerting;
mod attacks;
mod course;
mod dashboards;
mod data;
mod edge;
mod figures;
mod files;
mod http;
mod init;
mod items;
mod lab;
mod outage;
mod outcome;
mod prometheus;
mod rules;
mod runner;
mod secrets;
mod services;
mod sink;
mod stack;
mod wait;

use self::{runner::Runner, stack::Stack};
use std::process::ExitCode;

/// Names each sentence by its function.
macro_rules! sentences {
    ($($module:ident :: $name:ident),+ $(,)?) => { &[$((stringify!($name), $module::$name)),+] };
}

fn main() -> ExitCode {
    let mut runner = Runner::from_arguments();

    runner.without_a_stack(sentences![
        files::every_image_is_pinned_by_tag_and_digest,
        files::every_knob_is_in_the_example,
        rules::every_alert_says_how_grave_it_is_what_it_means_and_what_to_do,
        rules::every_alert_has_a_case_that_fires_and_one_that_is_silent,
        dashboards::every_dashboard_is_complete_and_can_be_reviewed,
        course::every_defect_of_the_course_is_answered_by_something_that_exists,
        lab::every_scenario_has_a_file_or_a_deed_two_hints_and_a_solution,
        lab::both_languages_say_the_same,
    ]);

    // What the one-shot `init` does, on a stack that never gets further.
    runner.with(
        "init",
        &[],
        sentences![
            init::killed_at_any_moment_it_leaves_all_passwords_or_none,
            init::values_provided_by_the_user_win,
            init::a_provided_password_cannot_replace_one_in_use,
            init::a_provided_certificate_is_used_and_a_wrong_key_refused,
            init::a_new_host_gets_a_new_authority_and_certificate,
            init::a_wrong_knob_is_named_with_its_value,
            init::settings_that_services_cannot_read_are_named,
            init::files_are_readable_by_their_own_service_only,
            alerting::receivers_follow_knobs_and_secrets,
        ],
    );

    // A database that is there, half there, or there without its passwords.
    runner.with(
        "data",
        &[],
        sentences![
            data::a_database_left_half_made_by_a_crash_is_made_again,
            data::init_refuses_to_make_passwords_over_an_existing_database,
            data::with_its_secrets_back_the_database_is_served_again,
            data::a_busy_port_is_named_in_the_error,
        ],
    );

    // The whole stack: first what only looks, then what disturbs.
    runner.with(
        "stack",
        &["up", "--build", "--wait"],
        sentences![
            edge::plain_http_is_redirected_to_https,
            edge::https_is_verified_against_the_exported_authority,
            edge::health_answers_200,
            edge::data_comes_from_the_database_then_from_the_cache,
            items::an_item_is_kept_and_a_second_up_replaces_nothing,
            edge::no_spelling_of_metrics_gets_metrics,
            edge::paths_that_only_look_like_metrics_reach_the_api,
            edge::another_host_reaches_nothing,
            edge::answers_carry_security_headers_and_are_compressed,
            services::prometheus_scrapes_the_api,
            services::every_target_is_up,
            alerting::promtool_agrees_with_every_rule_and_its_cases,
            alerting::every_rule_is_loaded_and_can_be_evaluated,
            alerting::only_the_watchdog_fires_on_a_stack_that_is_well,
            dashboards::no_panel_is_empty_under_load,
            services::postgres_has_checksums_and_sorts_by_bytes,
            services::the_application_role_is_no_superuser_and_owns_its_database,
            services::the_superuser_cannot_log_in_over_the_network,
            services::redis_refuses_strangers_and_dangerous_commands,
            services::every_profile_is_a_valid_configuration,
            services::every_container_is_confined,
            services::only_the_edge_is_published_and_nothing_gets_out,
            attacks::no_service_is_reached_from_a_network_it_is_not_for,
            attacks::the_docker_api_is_open_for_reading_what_runs_and_nothing_else,
            attacks::the_dashboard_asks_for_the_administrators_password,
            attacks::no_header_opens_the_metrics,
            attacks::inside_a_container_there_is_nothing_to_take,
            attacks::the_exporters_see_figures_and_no_data,
            alerting::unlimited_containers_are_not_called_short_of_memory,
            secrets::no_secret_is_in_what_docker_shows_or_logs,
            secrets::a_second_up_changes_no_secret,
            outage::the_api_answers_without_redis_and_caches_again_after,
            outage::every_replica_is_scraped_and_gets_requests,
            outage::replicas_share_the_cache,
            outage::a_client_stays_with_a_replica_if_that_is_asked_for,
            edge::who_asks_too_often_is_told_to_wait,
            outage::a_stopped_replica_loses_no_request,
            alerting::a_stopped_api_is_told_by_web_hook_and_mail_and_its_return_too,
            items::a_migration_that_fails_is_named_and_the_api_stays,
            outage::down_and_up_keep_data_and_passwords,
            lab::an_override_of_ones_own_is_left_alone,
            lab::each_fault_is_found_by_check_and_mended_by_fix,
            lab::one_fault_at_a_time,
            lab::a_fix_that_was_killed_is_done_again,
        ],
    );

    runner.with_stack(
        || Stack::new("acme")?.with_acme(),
        &["up", "--build", "--wait"],
        sentences![
            acme::the_certificate_comes_from_the_authority_by_itself,
            acme::it_is_kept_over_a_restart,
        ],
    );

    runner.finish()
}
