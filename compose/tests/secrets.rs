//! Secrets stay where they are, and as they are.

use crate::stack::Stack;
use anyhow::{Result, ensure};

/// A digest of every file `init` made, to see whether one changed without seeing one.
pub(crate) fn digests(stack: &Stack) -> Result<String> {
    stack.run_in_init("find /secrets /ca -type f | sort | xargs sha256sum")
}

pub(crate) fn no_secret_is_in_what_docker_shows_or_logs(stack: &Stack) -> Result<()> {
    let everything = stack.run_in_init(
        "for file in $(find /secrets/passwords -name '*-password'); do cat $file; echo; done
         sed 's/.*:\"\\(.*\\)\"}/\\1/' /secrets/passwords/redis-exporter/passwords.json; echo
         grep -h -A1 'BEGIN EC PRIVATE KEY' /secrets/tls/traefik.pem /ca/ca.pem",
    )?;
    let secrets: Vec<&str> = everything.lines().filter(|line| line.len() >= 40).collect();
    ensure!(
        secrets.len() == 11,
        "nine passwords and two keys are looked for, not {}",
        secrets.len()
    );

    let places = [
        (
            "docker inspect",
            serde_json::to_string(&stack.containers()?)?,
        ),
        ("the logs", stack.compose(&["logs"])?),
        ("docker compose config", stack.compose(&["config"])?),
        (
            "the image",
            stack.docker(&["history", "--no-trunc", stack.image("API_IMAGE")?])?,
        ),
    ];
    for (place, text) in places {
        ensure!(text.len() > 100, "there is nothing in {place}");
        ensure!(
            !secrets.iter().any(|secret| text.contains(secret)),
            "a secret is in {place}"
        );
    }
    Ok(())
}

pub(crate) fn a_second_up_changes_no_secret(stack: &Stack) -> Result<()> {
    let identity = |container: &serde_json::Value| container["Id"].to_string();
    let before = (
        digests(stack)?,
        stack.containers()?.iter().map(identity).collect::<Vec<_>>(),
    );
    stack.compose(&["up", "--build", "--wait"])?;
    let after = (
        digests(stack)?,
        stack.containers()?.iter().map(identity).collect::<Vec<_>>(),
    );
    ensure!(
        before.0 == after.0,
        "secrets changed:\n{}\n{}",
        before.0,
        after.0
    );
    ensure!(
        before.1 == after.1,
        "containers were made anew for no reason"
    );
    Ok(())
}
