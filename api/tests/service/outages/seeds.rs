//! What was there before an outage, so that every endpoint has something to find; and how each is asked for it.

use super::endpoints::{ENDPOINTS, Endpoint};
use crate::api::{Answer, Api, PATIENCE, eventually};
use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

const ITEM: &str = r#"{"name":"kept","description":"through every outage"}"#;

/// More items than are deleted in one scenario.
const DOOMED: usize = 40;

pub(super) struct Seeds {
    client: reqwest::Client,
    /// An item that stays.
    item: String,
    /// Items to delete. The first may have been asked for before, without an answer that told what became of it.
    doomed: Mutex<VecDeque<(String, bool)>>,
    /// The cookie of a session that stays.
    session: String,
    /// The cookie of one that is ended over and over.
    ended: String,
    names: AtomicUsize,
}

impl Seeds {
    /// Waits until all is well, and leaves what the scenario needs.
    pub(super) async fn sow(api: &Api) -> Self {
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .no_proxy()
            .build()
            .unwrap();
        let mut seeds = Self {
            client,
            item: String::new(),
            doomed: Mutex::default(),
            session: String::new(),
            ended: String::new(),
            names: AtomicUsize::new(0),
        };
        seeds.session = seeds.begin(api).await;
        seeds.ended = seeds.begin(api).await;
        seeds.item = seeds.create(api).await;
        let mut doomed = VecDeque::new();
        for _ in 0..DOOMED {
            doomed.push_back((seeds.create(api).await, false));
        }
        seeds.doomed = Mutex::new(doomed);
        for endpoint in ENDPOINTS {
            eventually("every endpoint works before the outage", async || {
                let (answer, well) = seeds.ask(api, endpoint).await?;
                let ready = well && (endpoint.path != "/api/data" || answer.source() == "cache");
                if ready {
                    Ok(())
                } else {
                    Err(format!("{endpoint}: {answer:?}\nlog: {:#?}", api.log()))
                }
            })
            .await;
        }
        seeds
    }

    /// Asks an endpoint; the answer, and whether it is what is answered when all is well.
    pub(super) async fn ask(
        &self,
        api: &Api,
        endpoint: &Endpoint,
    ) -> Result<(Answer, bool), String> {
        let deletes_an_item = endpoint.method == "DELETE" && endpoint.path == "/api/items/{id}";
        let (id, asked_before) = if deletes_an_item {
            let doomed = self.doomed.lock().unwrap();
            doomed.front().cloned().expect("there are items enough")
        } else {
            (self.item.clone(), false)
        };
        let path = endpoint.path.replace("{id}", &id);
        let answer = self.send(api, endpoint.method, &path).await?;
        let gone_already = asked_before && answer.status == 404;
        let well = answer.status == endpoint.well || gone_already;
        if deletes_an_item {
            let mut doomed = self.doomed.lock().unwrap();
            if well {
                doomed.pop_front();
            } else if let Some((_, asked)) = doomed.front_mut() {
                *asked = true;
            }
        }
        Ok((answer, well))
    }

    async fn send(&self, api: &Api, method: &str, path: &str) -> Result<Answer, String> {
        let url = format!("http://{}{path}", api.address);
        let mut request = self.client.request(method.parse().unwrap(), url);
        match (method, path) {
            // A session that is shown when another is begun moves there.
            ("POST", "/api/session") => {}
            ("DELETE", "/api/session") => request = request.header("cookie", &self.ended),
            _ => request = request.header("cookie", &self.session),
        }
        if path.starts_with("/api/items") && matches!(method, "POST" | "PUT") {
            request = request
                .header("content-type", "application/json")
                .body(ITEM);
        }
        if path == "/api/items" && method == "POST" {
            let number = self.names.fetch_add(1, Ordering::Relaxed);
            let key = format!("{}-{number}", api.address);
            request = request.header("idempotency-key", key);
        }
        let started = Instant::now();
        let response = request.send().await.map_err(|error| format!("{error:?}"))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response
            .text()
            .await
            .map_err(|error| format!("{error:?}"))?;
        Ok(Answer {
            status,
            headers,
            body,
            took: started.elapsed(),
        })
    }

    /// The id of a new item.
    async fn create(&self, api: &Api) -> String {
        let answer = self.until_created(api, "/api/items").await;
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// The cookie of a new session.
    async fn begin(&self, api: &Api) -> String {
        let answer = self.until_created(api, "/api/session").await;
        let cookie = answer.header("set-cookie");
        cookie.split(';').next().unwrap().to_owned()
    }

    async fn until_created(&self, api: &Api, path: &str) -> Answer {
        eventually("something is made before the outage", async || {
            let answer = self.send(api, "POST", path).await?;
            if answer.status == 201 {
                Ok(answer)
            } else {
                Err(format!("{answer:?}\nlog: {:#?}", api.log()))
            }
        })
        .await
    }
}
