//! API processes that share a Redis, and the question whether they tell what it holds.

use crate::{
    api::Api,
    proxy::Proxy,
    redis::{self, Redis},
};
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, FromRedisValue, aio::MultiplexedConnection, cmd,
};
use std::time::{Duration, Instant};

/// The series that is 1 while copies in the process are trusted.
pub(crate) const TRACKING: &str = "app_cache_tracking";
/// The user the replicas are, with the rights that both runtimes give to it.
pub(crate) const USER: &str = "app";
pub(crate) const RULES: [&str; 6] = ["~*", "&*", "+@all", "-@admin", "-@dangerous", "+info"];

/// Processes, each behind a proxy of its own, and Redis as the test sees it.
pub(crate) struct Replicas {
    pub(crate) apis: Vec<Api>,
    pub(crate) proxies: Vec<Proxy>,
    control: MultiplexedConnection,
    /// Dropped last: the others talk to it.
    pub(crate) redis: Redis,
}

/// What a process told although Redis held something else, before and after.
#[derive(Debug, PartialEq)]
pub(crate) struct Lie {
    pub(crate) told: String,
    held: Option<String>,
}

impl std::fmt::Display for Lie {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{:?} while Redis holds {:?}",
            self.told, self.held
        )
    }
}

impl Replicas {
    /// `count` processes that have all reached Redis and are told of changes.
    pub(crate) async fn start(count: usize, settings: &[(&str, &str)]) -> Self {
        let redis = Redis::start().await;
        let password = format!(">{}", redis::PASSWORD);
        let rules = [
            &["ACL", "SETUSER", USER, "reset", "on", &password][..],
            &RULES,
        ];
        redis.command(&rules.concat());
        let address = format!("redis://:{}@127.0.0.1:{}", redis::PASSWORD, redis.port);
        // A paused server answers late, which is no fault of the test.
        let patient =
            AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(30)));
        let control = Client::open(address)
            .unwrap()
            .get_multiplexed_async_connection_with_config(&patient)
            .await
            .unwrap();
        let (mut apis, mut proxies) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let proxy = Proxy::start(redis.port).await;
            let port = proxy.port().to_string();
            let own = [
                ("REDIS_HOST", "127.0.0.1"),
                ("REDIS_PORT", &port),
                ("REDIS_USER", USER),
                ("REDIS_PASSWORD", redis::PASSWORD),
            ];
            apis.push(Api::start(&[&own[..], settings].concat()).await);
            proxies.push(proxy);
        }
        let replicas = Self {
            apis,
            proxies,
            control,
            redis,
        };
        replicas.until_tracking().await;
        replicas
    }

    /// Waits until every process is told of changes; how long it took.
    pub(crate) async fn until_tracking(&self) -> Duration {
        let started = Instant::now();
        for api in &self.apis {
            crate::api::eventually("changes are told", async || {
                if api.metric(TRACKING).await == 1.0 {
                    Ok(())
                } else {
                    Err(format!("{:#?}", api.log()))
                }
            })
            .await;
        }
        started.elapsed()
    }

    /// What Redis answers to the test, in words.
    pub(crate) async fn run<T: FromRedisValue>(&mut self, words: &[&str]) -> T {
        let (name, arguments) = words.split_first().expect("a command has a name");
        let mut command: Cmd = cmd(name);
        command.arg(arguments);
        command
            .query_async(&mut self.control)
            .await
            .unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// What the key holds now, as far as it is text.
    pub(crate) async fn held(&mut self) -> Option<String> {
        let mut get = cmd("GET");
        get.arg("data_cache");
        get.query_async(&mut self.control).await.unwrap_or(None)
    }

    /// Asks a process, which must tell what Redis held before or after, or come from the database.
    pub(crate) async fn ask(&mut self, replica: usize) -> Result<String, Lie> {
        let before = self.held().await;
        let answer = self.apis[replica].get("/api/data").await;
        let told = answer.json()["data"].as_str().unwrap().to_owned();
        if answer.source() == "database" || Some(&told) == before.as_ref() {
            return Ok(told);
        }
        let after = self.held().await;
        if Some(&told) == after.as_ref() {
            return Ok(told);
        }
        Err(Lie { told, held: after })
    }

    /// Asks until the answer is true; what it was and how long it took. `Err`: a lie that was told to a request sent after
    /// `bound`.
    pub(crate) async fn true_within(
        &mut self,
        replica: usize,
        bound: Duration,
    ) -> Result<(String, Duration), String> {
        let started = Instant::now();
        loop {
            let asked = started.elapsed();
            match self.ask(replica).await {
                Ok(told) => return Ok((told, started.elapsed())),
                Err(lie) if asked > bound => {
                    return Err(format!(
                        "replica {replica} still tells {lie} after {asked:?}\nlog: {:#?}",
                        self.apis[replica].log()
                    ));
                }
                Err(_) => {}
            }
        }
    }

    /// Asks until the process answers from its own memory.
    pub(crate) async fn warm(&self, replica: usize) {
        let series = r#"app_cache_hits_total{level="memory"}"#;
        let api = &self.apis[replica];
        let before = api.metric(series).await;
        crate::api::eventually("the process has a copy", async || {
            let answer = api.get("/api/data").await;
            if api.metric(series).await > before {
                Ok(())
            } else {
                Err(format!("{answer:?}\nlog: {:#?}", api.log()))
            }
        })
        .await;
    }
}
