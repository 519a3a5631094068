//! The C functions that the static program copies memory with.

use std::{path::Path, process::Command};

#[test]
#[cfg(target_arch = "x86_64")]
fn every_length_and_overlap_is_copied_exactly() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("musl");
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("memory-test");
    let object = folder.path().join("memory.o");
    let run = |command: &mut Command| {
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {said}{complaint}");
        said
    };
    run(Command::new("cc")
        .args(["-O2", "-Wall", "-Wextra", "-Werror", "-c"])
        .args(["-ffreestanding", "-fno-tree-loop-distribute-patterns"])
        .args(["-Dmemcpy=copied", "-Dmemmove=moved", "-o"])
        .args([&object, &sources.join("memory.c")]));
    run(Command::new("cc")
        .args(["-O1", "-Wall", "-Wextra", "-Werror", "-o"])
        .args([&program, &sources.join("memory_test.c"), &object]));
    assert!(run(&mut Command::new(&program)).ends_with(" copies\n"));
}
