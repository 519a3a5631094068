//! The script that guards Postgres' data directory, run for real with a stand-in for initdb.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

const SCRIPT: &str = include_str!("../../src/desired/postgres/initialize.sh");

/// Runs the script on a disk. `initdb` is what stands for docker-ensure-initdb.sh; `initialized` is the mark's file.
fn initialize(disk: &Path, initdb: &str, initialized: bool) -> Output {
    let mark = disk.join("initialized");
    if initialized {
        fs::write(&mark, "true\n").unwrap();
    }
    let script = SCRIPT.replace("/etc/tpstack/initialized", mark.to_str().unwrap());
    let programs = disk.join("bin");
    fs::create_dir_all(&programs).unwrap();
    let program = programs.join("docker-ensure-initdb.sh");
    fs::write(&program, format!("#!/bin/bash\nset -e\n{initdb}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", programs.display());
    Command::new("bash")
        .args(["-c", &script])
        .env_clear()
        .env("PATH", path)
        .env("PGDATA", disk.join("pgdata"))
        .output()
        .unwrap()
}

const WHOLE: &str = r#"mkdir "$PGDATA"; echo 16 >"$PGDATA/PG_VERSION""#;

fn ok(output: &Output) {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn refused(output: &Output, word: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains(word), "{said}");
}

#[test]
fn an_empty_disk_gets_a_data_directory() {
    let disk = tempfile::tempdir().unwrap();
    ok(&initialize(disk.path(), WHOLE, false));
    assert_eq!(
        fs::read_to_string(disk.path().join("pgdata/PG_VERSION")).unwrap(),
        "16\n"
    );
    assert!(!disk.path().join("pgdata.new").exists());
}

#[test]
fn a_data_directory_that_is_there_is_left_alone() {
    let disk = tempfile::tempdir().unwrap();
    ok(&initialize(disk.path(), WHOLE, false));
    fs::write(disk.path().join("pgdata/row"), "1").unwrap();
    ok(&initialize(disk.path(), "exit 1", true));
    assert!(disk.path().join("pgdata/row").exists());
}

#[test]
fn an_interrupted_first_start_leaves_nothing_that_looks_finished() {
    let disk = tempfile::tempdir().unwrap();
    let half = initialize(disk.path(), &format!("{WHOLE}; exit 1"), false);
    assert!(!half.status.success());
    assert!(!disk.path().join("pgdata").exists());
    ok(&initialize(disk.path(), WHOLE, false));
    assert!(disk.path().join("pgdata/PG_VERSION").exists());
}

#[test]
fn a_disk_that_held_data_before_and_is_empty_now_is_refused() {
    let disk = tempfile::tempdir().unwrap();
    refused(
        &initialize(disk.path(), WHOLE, true),
        "refusing to start on an empty disk",
    );
    assert!(!disk.path().join("pgdata").exists());
}

#[test]
fn something_else_at_the_place_of_the_data_is_refused() {
    let disk = tempfile::tempdir().unwrap();
    fs::create_dir(disk.path().join("pgdata")).unwrap();
    fs::write(disk.path().join("pgdata/precious"), "1").unwrap();
    refused(&initialize(disk.path(), WHOLE, false), "without PG_VERSION");
    assert!(disk.path().join("pgdata/precious").exists());
}
