//! The one-shot `init`: whole or nothing, never twice, the user's values first.

use crate::{outcome::Outcome, secrets::digests, stack::Stack};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;

/// Every file `init` makes: owner, mode, path.
const FILES: [&str; 16] = [
    "0 400 /ca/ca.pem",
    "0 444 /secrets/tls/ca.crt",
    "472 400 /secrets/passwords/grafana/admin-password",
    "59000 400 /secrets/passwords/redis-exporter/passwords.json",
    "65532 400 /secrets/passwords/api/db-password",
    "65532 400 /secrets/passwords/api/redis-password",
    "65533 400 /secrets/tls/dashboard-users",
    "65533 400 /secrets/tls/traefik.pem",
    "65534 400 /secrets/alertmanager/alertmanager.yml",
    "65534 400 /secrets/passwords/postgres-exporter/password",
    "999 400 /secrets/passwords/postgres/app-password",
    "999 400 /secrets/passwords/postgres/exporter-password",
    "999 400 /secrets/passwords/postgres/superuser-password",
    "999 400 /secrets/passwords/redis/admin-password",
    "999 400 /secrets/passwords/redis/health-password",
    "999 400 /secrets/passwords/redis/users.acl",
];

/// Kills it at 25 moments spread over its run. What it had renamed into place may be in use, and must not change; what it
/// had not must be made by the next run.
const KILL_AND_FINISH: &str = r#"
make() { sh /stack/init/init.sh 2>/tmp/said || { cat /tmp/said; return 1; }; }
passwords() { find /secrets/passwords -type f | sort | xargs sha256sum; }
before=$(date +%s%N); make; whole=$(( $(date +%s%N) - before ))
for moment in $(seq 1 25); do
    rm -rf /secrets/* /ca/*
    nanoseconds=$(( whole * moment / 26 ))
    timeout -s KILL "$(printf '%d.%09d' $((nanoseconds / 1000000000)) $((nanoseconds % 1000000000)))" \
        sh /stack/init/init.sh 2>/dev/null || true
    kept=none
    if [ -e /secrets/passwords ]; then kept=$(passwords); fi
    make
    [ "$(passwords | wc -l)" = 11 ] || { echo "not all passwords after moment $moment"; exit 1; }
    openssl verify -CAfile /secrets/tls/ca.crt /secrets/tls/traefik.pem >/dev/null
    if [ "$kept" = none ]; then echo without; else
        echo with
        [ "$kept" = "$(passwords)" ] || { echo "passwords changed after moment $moment"; exit 1; }
    fi
done
# The narrowest moments, between a change of owner and the rename.
rm /secrets/tls/traefik.pem /secrets/tls/ca.crt /ca/ca.pem
for file in /secrets/tls/traefik.pem.partial /secrets/tls/ca.crt.partial /ca/ca.pem.partial; do
    echo half >$file; chmod 0400 $file; chown 65533 $file
done
make
"#;

pub(crate) fn killed_at_any_moment_it_leaves_all_passwords_or_none(stack: &Stack) -> Result<()> {
    let moments = stack.run_in_init(KILL_AND_FINISH)?;
    let outcomes: BTreeSet<&str> = moments.lines().collect();
    ensure!(
        outcomes == BTreeSet::from(["with", "without"]),
        "no kill on both sides of the rename: {outcomes:?}"
    );
    ensure!(
        moments.lines().count() == 25,
        "not all moments were tried:\n{moments}"
    );
    Ok(())
}

/// The value has every character that a shell, SQL or psql might take for its own.
pub(crate) fn values_provided_by_the_user_win(stack: &Stack) -> Result<()> {
    let hostile = r#"it's "$HOME" `id` \' ; -- :x %s"#;
    stack.reset()?;
    stack.provide("postgres-app-password", &format!("{hostile}\n"))?;
    stack.provide("redis-app-password", hostile)?;
    stack.compose(&["up", "--wait", "postgres", "redis"])?;

    let password = format!("PGPASSWORD={hostile}");
    let query = [
        "psql",
        "-h",
        "127.0.0.1",
        "-U",
        "appuser",
        "-d",
        "appdb",
        "-Atc",
        "SELECT current_user",
    ];
    let user = stack.compose(
        &[
            &["exec", "--no-TTY", "--env", &password, "postgres"],
            query.as_slice(),
        ]
        .concat(),
    )?;
    ensure!(user.trim() == "appuser", "logged in as {user}");

    let password = format!("REDISCLI_AUTH={hostile}");
    let ping = ["redis-cli", "--no-auth-warning", "--user", "app", "ping"];
    let answer = stack.compose(
        &[
            &["exec", "--no-TTY", "--env", &password, "redis"],
            ping.as_slice(),
        ]
        .concat(),
    )?;
    ensure!(answer.trim() == "PONG", "Redis said {answer}");
    Ok(())
}

pub(crate) fn a_provided_password_cannot_replace_one_in_use(stack: &Stack) -> Result<()> {
    let before = digests(stack)?;
    stack.provide("postgres-app-password", "another one")?;
    refused(
        &stack.init(&[])?,
        "compose/secrets/postgres-app-password is not the password",
    )?;
    ensure!(digests(stack)? == before, "a refusal changed a secret");
    Ok(())
}

pub(crate) fn a_provided_certificate_is_used_and_a_wrong_key_refused(stack: &Stack) -> Result<()> {
    stack.reset()?;
    let (certificate, key) = self_signed(stack)?;
    stack.provide("tls.crt", &certificate)?;
    refused(&stack.init(&[])?, "both tls.crt and tls.key")?;
    stack.provide("tls.key", &self_signed(stack)?.1)?;
    refused(&stack.init(&[])?, "tls.key is not the key of")?;
    stack.provide("tls.key", &key)?;
    ensure!(stack.init(&[])?.success, "a right pair was refused");
    let shown = stack.run_in_init("openssl x509 -in /secrets/tls/traefik.pem -noout -subject")?;
    ensure!(
        shown.contains("provided.example"),
        "Traefik would show {shown}"
    );
    Ok(())
}

/// Another name needs another authority, since the first may not vouch for it; the passwords are none of its business.
pub(crate) fn a_new_host_gets_a_new_authority_and_certificate(stack: &Stack) -> Result<()> {
    stack.reset()?;
    ensure!(stack.init(&[])?.success, "the first run failed");
    let passwords = "find /secrets/passwords -type f | sort | xargs sha256sum";
    let before = stack.run_in_init(passwords)?;
    for bad in [
        "Shop.example",
        "shop..example",
        "a b",
        "shop.example, DNS:bank.example",
    ] {
        refused(
            &stack.init(&[("API_HOST", bad)])?,
            "API_HOST must be a host name",
        )?;
    }
    ensure!(
        stack.init(&[("API_HOST", "shop.example.org")])?.success,
        "the second run failed"
    );
    ensure!(
        stack.run_in_init(passwords)? == before,
        "a new host changed a password"
    );
    stack.run_in_init("openssl verify -CAfile /secrets/tls/ca.crt -verify_hostname shop.example.org /secrets/tls/traefik.pem")?;
    // The authority's key in the wrong hands still signs for nobody else.
    stack.run_in_init(
        "sed 's/subjectAltName = .*/subjectAltName = DNS:bank.example/' /stack/init/init.sh >/tmp/evil.sh
         rm /secrets/tls/traefik.pem
         if API_HOST=shop.example.org sh /tmp/evil.sh 2>/tmp/said; then echo 'signed for another host'; exit 1; fi
         grep -q 'no certificate can be made' /tmp/said",
    )?;
    // A certificate near its end is renewed, once.
    stack.run_in_init(
        "export API_HOST=shop.example.org
         serial() { openssl x509 -in /secrets/tls/traefik.pem -noout -serial; }
         sed 's/-days 397/-days 10/' /stack/init/init.sh >/tmp/short.sh
         sh /tmp/short.sh 2>/tmp/said; short=$(serial)
         sh /stack/init/init.sh 2>/tmp/said; renewed=$(serial)
         sh /stack/init/init.sh 2>/tmp/said; kept=$(serial)
         [ \"$short\" != \"$renewed\" ]; [ \"$renewed\" = \"$kept\" ]",
    )?;
    Ok(())
}

/// Each of them would be found out later only, or never: as routes that are not there, as alerts that do not arrive.
pub(crate) fn a_wrong_knob_is_named_with_its_value(stack: &Stack) -> Result<()> {
    let before = digests(stack)?;
    for (knob, value, why) in [
        ("RATE_LIMIT_AVERAGE", "many", "must be a whole number"),
        ("RATE_LIMIT_BURST", "-1", "must be a whole number"),
        ("HSTS_SECONDS", "1h", "must be a whole number"),
        ("API_STICKY", "yes", "must be true or false"),
        ("API_READY_PATH", "ready", "must be a path"),
        ("API_HOST", "traefik.localhost", "are the same name"),
        ("TRAEFIK_HOST", "a b", "must be a host name"),
        ("ALERT_SMTP_TLS", "maybe", "must be true or false"),
        ("ALERT_REPEAT_INTERVAL", "4 hours", "must be a duration"),
    ] {
        let outcome = stack.init(&[(knob, value)])?;
        refused(&outcome, why)?;
        ensure!(
            outcome.all.contains(knob) && outcome.all.contains(value),
            "{knob}={value}: {}",
            outcome.all
        );
    }
    ensure!(digests(stack)? == before, "a refusal changed a secret");
    Ok(())
}

/// The repository itself is not touched: the check is shown a copy of its folders.
pub(crate) fn settings_that_services_cannot_read_are_named(stack: &Stack) -> Result<()> {
    let said = stack.run_in_init(
        "for folder in traefik prometheus postgres redis socket-proxy grafana; do mkdir -p -m 0755 /tmp/copy/$folder; done
         (umask 077; echo x >/tmp/copy/redis/redis.conf)
         sed 's#cd /stack#cd /tmp/copy#' /stack/init/init.sh >/tmp/init.sh
         if sh /tmp/init.sh 2>&1; then echo 'not refused'; exit 1; fi",
    )?;
    let expected = "cannot read compose/redis/redis.conf";
    ensure!(
        said.contains(expected) && said.contains("chmod -R go+rX compose"),
        "{said}"
    );
    Ok(())
}

pub(crate) fn files_are_readable_by_their_own_service_only(stack: &Stack) -> Result<()> {
    stack.reset()?;
    ensure!(stack.init(&[])?.success, "init failed");
    let listed = stack.run_in_init("find /secrets /ca -type f -printf '%U %m %p\\n'")?;
    let found: BTreeSet<&str> = listed.lines().collect();
    ensure!(
        found == BTreeSet::from(FILES),
        "unexpected: {:?}",
        found.symmetric_difference(&BTreeSet::from(FILES))
    );
    Ok(())
}

fn refused(outcome: &Outcome, why: &str) -> Result<()> {
    ensure!(!outcome.success, "not refused:\n{}", outcome.all);
    ensure!(
        outcome.all.contains("init: REFUSED:") && outcome.all.contains(why),
        "no word of {why:?}:\n{}",
        outcome.all
    );
    Ok(())
}

fn self_signed(stack: &Stack) -> Result<(String, String)> {
    let pair = stack.run_in_init(
        "printf '[req]\\ndistinguished_name=n\\nprompt=no\\n[n]\\nCN=provided.example\\n' >/tmp/conf
         openssl ecparam -name prime256v1 -genkey -noout -out /tmp/key
         openssl req -new -x509 -config /tmp/conf -key /tmp/key -days 2; cat /tmp/key",
    )?;
    let (certificate, key) = pair.split_once("-----BEGIN EC").context("no key")?;
    Ok((certificate.to_owned(), format!("-----BEGIN EC{key}")))
}
