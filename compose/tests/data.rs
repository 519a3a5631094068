//! A database that is half there, or there without its passwords: nothing is lost, and nobody is locked out.

use crate::stack::Stack;
use anyhow::{Result, ensure};
use std::net::TcpListener;

/// Runs a statement as the API would log in: its role, its password, over TCP.
pub(crate) fn sql(stack: &Stack, statement: &str) -> Result<String> {
    let script = r#"PGPASSWORD=$(cat /secrets/app-password) exec psql -h "$(hostname -i)" -U appuser -d appdb \
        --no-psqlrc --quiet --set=ON_ERROR_STOP=1 -Atc "$0""#;
    Ok(stack
        .exec("postgres", &["sh", "-c", script, statement])?
        .trim()
        .to_owned())
}

pub(crate) fn a_database_left_half_made_by_a_crash_is_made_again(stack: &Stack) -> Result<()> {
    stack.compose(&["run", "--rm", "--no-deps", "--no-TTY", "init"])?;
    let half = "mkdir /d/pgdata.partial && echo 16 >/d/pgdata.partial/PG_VERSION";
    in_volume(stack, "postgres-data", "999:999", half)?;
    stack.compose(&["up", "--wait", "postgres"])?;
    ensure!(
        sql(stack, "SELECT current_user")? == "appuser",
        "the application's role is missing"
    );
    let left = stack.exec("postgres", &["ls", "/var/lib/postgresql/data"])?;
    ensure!(left.trim() == "pgdata", "the volume holds {left}");
    Ok(())
}

pub(crate) fn init_refuses_to_make_passwords_over_an_existing_database(
    stack: &Stack,
) -> Result<()> {
    sql(
        stack,
        "CREATE TABLE kept (word text); INSERT INTO kept VALUES ('still here')",
    )?;
    stack.compose(&["down"])?;
    // Taken away as a person would lose it; a copy is kept beside the data for the next sentence.
    in_volume(stack, "secrets", "0:0", "tar -C /d -cf /keep/secrets.tar .")?;
    stack.docker(&["volume", "rm", &stack.volume("secrets")])?;

    let up = stack.compose_with(&[], &["up", "--wait", "postgres", "redis"])?;
    ensure!(
        !up.success && up.all.contains("\"init\""),
        "`up` did not fail naming init:\n{}",
        up.all
    );
    let said = stack.compose(&["logs", "--no-log-prefix", "init"])?;
    for word in [
        "REFUSED",
        "volume 'secrets'",
        "from a backup",
        "docker compose down --volumes",
    ] {
        ensure!(said.contains(word), "no word of {word:?}:\n{said}");
    }
    let made = stack.run_in_init("ls /secrets")?;
    ensure!(made.trim().is_empty(), "something was made: {made}");
    let running = stack.compose(&["ps", "--services", "--status", "running"])?;
    ensure!(running.trim().is_empty(), "running all the same: {running}");
    Ok(())
}

pub(crate) fn with_its_secrets_back_the_database_is_served_again(stack: &Stack) -> Result<()> {
    in_volume(stack, "secrets", "0:0", "tar -C /d -xpf /keep/secrets.tar")?;
    stack.compose(&["up", "--wait", "postgres"])?;
    let word = sql(stack, "SELECT word FROM kept")?;
    ensure!(word == "still here", "the row is now {word:?}");
    Ok(())
}

pub(crate) fn a_busy_port_is_named_in_the_error(stack: &Stack) -> Result<()> {
    let taken = TcpListener::bind("0.0.0.0:0")?;
    let port = taken.local_addr()?.port().to_string();
    let up = stack.compose_with(
        &[("HTTP_PORT", &port)],
        &["up", "--detach", "--no-deps", "traefik"],
    )?;
    ensure!(!up.success, "port {port} was taken twice");
    ensure!(
        up.all.contains(&format!(":{port}")),
        "the error does not name port {port}:\n{}",
        up.all
    );
    Ok(())
}

/// Runs a script with a volume at /d, and a folder that outlives it at /keep.
fn in_volume(stack: &Stack, volume: &str, user: &str, script: &str) -> Result<String> {
    let mount = format!("{}:/d", stack.volume(volume));
    let keep = format!("{}:/keep", stack.scratch());
    let image = stack.image("POSTGRES_IMAGE")?;
    stack.docker(&[
        "run",
        "--rm",
        "--network",
        "none",
        "--user",
        user,
        "--volume",
        &mount,
        "--volume",
        &keep,
        "--entrypoint",
        "sh",
        image,
        "-euc",
        script,
    ])
}
