//! Databases: one of a test's own on the testbed's server, or a whole server of its own, to break and mend.

use crate::{
    api::{command, eventually},
    testbed::{Server, free_port, run, variable},
    tls::Authority,
};
use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

pub(crate) const PASSWORD: &str = "postgres-Secret-1";

/// What the API needs to know of a database.
pub(crate) struct Database {
    pub(crate) host: String,
    pub(crate) port: String,
    pub(crate) name: String,
    pub(crate) user: String,
    shared: bool,
}

impl Database {
    /// A new database on the testbed's server, owned by a role that is nothing else.
    pub(crate) fn create() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "api_{}_{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        for statement in [
            format!("CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'"),
            format!("CREATE DATABASE {name} OWNER {name}"),
        ] {
            run(&mut administration(&statement));
        }
        Self {
            host: variable("TESTBED_POSTGRES_HOST"),
            port: variable("TESTBED_POSTGRES_PORT"),
            user: name.clone(),
            name,
            shared: true,
        }
    }

    /// Makes the API's tables.
    pub(crate) fn migrate(&self) {
        let mut settings = self.settings();
        settings.push(("DB_PASSWORD", PASSWORD));
        run(command(&settings).arg("migrate"));
    }

    /// The settings that lead to it, without the password.
    pub(crate) fn settings(&self) -> Vec<(&str, &str)> {
        vec![
            ("DB_HOST", self.host.as_str()),
            ("DB_PORT", self.port.as_str()),
            ("DB_NAME", self.name.as_str()),
            ("DB_USER", self.user.as_str()),
        ]
    }
}

/// A shared server is left as it was found.
impl Drop for Database {
    fn drop(&mut self) {
        if self.shared {
            let name = &self.name;
            for statement in [
                format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
                format!("DROP ROLE IF EXISTS {name}"),
            ] {
                _ = administration(&statement).status();
            }
        }
    }
}

/// A statement for the testbed's server, as its superuser.
fn administration(statement: &str) -> Command {
    let mut command = psql();
    command
        .args(["-h", &variable("TESTBED_POSTGRES_HOST")])
        .args(["-p", &variable("TESTBED_POSTGRES_PORT")])
        .args(["-U", &variable("TESTBED_POSTGRES_USER")])
        .args(["-d", "postgres", "-c", statement])
        .env("PGPASSWORD", variable("TESTBED_POSTGRES_PASSWORD"));
    command
}

/// A server of a test's own.
pub(crate) struct Postgres {
    pub(crate) database: Database,
    folder: tempfile::TempDir,
    server: Option<Server>,
}

impl Postgres {
    /// A server that is initialised and not started.
    pub(crate) fn absent() -> Self {
        Self::initialised("scram-sha-256")
    }

    /// A server whose passwords cost little to check: with SCRAM, an API built for tests takes a tenth of a second of
    /// processor for each connection.
    pub(crate) async fn start_with_cheap_passwords() -> Self {
        let mut postgres = Self::initialised("md5");
        postgres.bring_up().await;
        postgres
    }

    fn initialised(authentication: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let password = folder.path().join("password");
        fs::write(&password, PASSWORD).unwrap();
        give_away(folder.path());
        give_away(&password);
        run(binary("initdb")
            .arg(format!("--auth={authentication}"))
            .args([
                "--username=appuser",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ])
            .arg(format!("--pwfile={}", password.display()))
            .arg(folder.path().join("data")));
        let database = Database {
            host: "127.0.0.1".into(),
            port: free_port().to_string(),
            name: "postgres".into(),
            user: "appuser".into(),
            shared: false,
        };
        Self {
            database,
            folder,
            server: None,
        }
    }

    pub(crate) async fn start() -> Self {
        let mut postgres = Self::absent();
        postgres.bring_up().await;
        postgres
    }

    /// A server that takes no connection without TLS.
    pub(crate) async fn start_with_tls(authority: &Authority) -> Self {
        let mut postgres = Self::absent();
        let identity = authority.identify(postgres.folder.path());
        let settings = format!(
            "ssl = on\nssl_cert_file = '{}'\nssl_key_file = '{}'\n",
            identity.certificate.display(),
            identity.key.display()
        );
        let data = postgres.folder.path().join("data");
        fs::write(data.join("postgresql.auto.conf"), settings).unwrap();
        fs::write(
            data.join("pg_hba.conf"),
            "hostssl all all 127.0.0.1/32 scram-sha-256\n",
        )
        .unwrap();
        for file in [&identity.certificate, &identity.key] {
            give_away(file);
        }
        postgres.bring_up().await;
        postgres
    }

    pub(crate) async fn bring_up(&mut self) {
        let mut command = binary("postgres");
        command
            .arg("-D")
            .arg(self.folder.path().join("data"))
            .args(["-h", "127.0.0.1", "-p", &self.database.port, "-k", "", "-F"])
            // A killed server leaves its shared memory behind: in its own folder, which goes with the test.
            .args(["-c", "dynamic_shared_memory_type=mmap"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.server = Some(Server::spawn(&mut command));
        eventually("Postgres answers", async || {
            let output = self.psql("SELECT 1").output().unwrap();
            if output.status.success() {
                Ok(())
            } else {
                Err(String::from_utf8_lossy(&output.stderr).into_owned())
            }
        })
        .await;
    }

    pub(crate) async fn kill(&mut self) {
        self.server.take().expect("it runs").kill().await;
    }

    pub(crate) fn signal(&self, name: &str) {
        self.server.as_ref().expect("it runs").signal(name);
    }

    /// What a statement answers.
    pub(crate) fn sql(&self, statement: &str) -> String {
        run(&mut self.psql(statement))
    }

    fn psql(&self, statement: &str) -> Command {
        let Database {
            host,
            port,
            name,
            user,
            shared: _,
        } = &self.database;
        let mut command = psql();
        command
            .args([
                "-h", host, "-p", port, "-U", user, "-d", name, "-At", "-c", statement,
            ])
            .env("PGPASSWORD", PASSWORD)
            .env("PGCONNECT_TIMEOUT", "5");
        command
    }
}

fn psql() -> Command {
    let mut command = Command::new(Path::new(&variable("TESTBED_POSTGRES_BIN")).join("psql"));
    command.args(["-v", "ON_ERROR_STOP=1", "-q", "-X"]);
    command
}

/// The user servers run as, when we are root: Postgres refuses root.
fn other_user() -> Option<String> {
    env::var("TESTBED_POSTGRES_RUN_AS")
        .ok()
        .filter(|user| !user.is_empty())
}

/// One of Postgres' programs, run by the user it wants. `setpriv` becomes the program, so signals reach it.
fn binary(name: &str) -> Command {
    let program = Path::new(&variable("TESTBED_POSTGRES_BIN")).join(name);
    let mut command = match other_user() {
        None => Command::new(program),
        Some(user) => {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid", &user, "--regid", &user, "--init-groups"])
                .arg(program);
            command
        }
    };
    command.current_dir("/").stdin(Stdio::null());
    command
}

fn give_away(path: &Path) {
    if let Some(user) = other_user() {
        run(Command::new("chown").arg(format!("{user}:")).arg(path));
    }
}
