//! One tab: what a reader sees of a page, and all that the browser had to say about it.

use super::chromium::Chromium;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// Who looks, and at what.
#[derive(Clone, Copy)]
pub(crate) struct Reader {
    pub(crate) languages: &'static str,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) phone: bool,
    pub(crate) dark: bool,
}

pub(crate) struct Tab<'a> {
    chromium: &'a mut Chromium,
    target: String,
    session: String,
    reader: Reader,
}

/// What there was to see in the browser's own tools while a page was loaded.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Console messages, exceptions, refusals, issues; of any level.
    pub(crate) complaints: Vec<String>,
    /// Addresses asked for, without those that are their own content.
    pub(crate) requests: Vec<String>,
}

impl<'a> Tab<'a> {
    /// A tab without cookies or cache of earlier ones.
    pub(crate) fn open(chromium: &'a mut Chromium, reader: Reader) -> Self {
        let context = chromium.ask(None, "Target.createBrowserContext", &json!({}));
        let blank =
            json!({ "url": "about:blank", "browserContextId": context["browserContextId"] });
        let target = text(&chromium.ask(None, "Target.createTarget", &blank)["targetId"]);
        let attach = json!({ "targetId": target, "flatten": true });
        let session = text(&chromium.ask(None, "Target.attachToTarget", &attach)["sessionId"]);
        let agent = chromium.ask(None, "Browser.getVersion", &json!({}))["userAgent"].take();
        let mut tab = Self {
            chromium,
            target,
            session,
            reader,
        };
        for domain in ["Page", "Network", "Runtime", "Log", "Audits"] {
            tab.ask(&format!("{domain}.enable"), &json!({}));
        }
        tab.ask(
            "Page.setLifecycleEventsEnabled",
            &json!({ "enabled": true }),
        );
        let languages = json!({ "userAgent": agent, "acceptLanguage": reader.languages });
        tab.ask("Emulation.setUserAgentOverride", &languages);
        let Reader {
            width,
            height,
            phone,
            dark,
            ..
        } = reader;
        let scale = if phone { 2 } else { 1 };
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": phone });
        tab.ask("Emulation.setDeviceMetricsOverride", &screen);
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        tab.ask("Emulation.setEmulatedMedia", &media);
        tab
    }

    /// Loads a page until nothing moves any more.
    pub(crate) fn load(&mut self, url: &str) -> Seen {
        self.chromium.take_events(&self.session);
        let loader = self.ask("Page.navigate", &json!({ "url": url }))["loaderId"].take();
        assert!(loader.is_string(), "{url} is no new page");
        let idle = |event: &Value| {
            event["method"] == "Page.lifecycleEvent"
                && event["params"]["name"] == "networkIdle"
                && event["params"]["loaderId"] == loader
        };
        self.chromium.event(&self.session, "the page is idle", idle);
        // What was told before this answer has come by now.
        self.evaluate("1");
        self.seen()
    }

    fn seen(&mut self) -> Seen {
        let mut seen = Seen::default();
        for event in self.chromium.take_events(&self.session) {
            let details = &event["params"];
            match event["method"].as_str().unwrap_or_default() {
                "Log.entryAdded" => seen.complaints.push(details["entry"].to_string()),
                "Runtime.consoleAPICalled"
                | "Runtime.exceptionThrown"
                | "Audits.issueAdded"
                | "Network.loadingFailed" => seen.complaints.push(details.to_string()),
                "Network.requestWillBeSent" => {
                    let url = text(&details["request"]["url"]);
                    if !url.starts_with("data:") {
                        seen.requests.push(url);
                    }
                }
                _ => {}
            }
        }
        seen
    }

    /// The value of an expression, in the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "returnByValue": true });
        let mut answer = self.ask("Runtime.evaluate", &parameters);
        let trouble = &answer["exceptionDetails"];
        assert!(trouble.is_null(), "{expression}: {trouble}");
        answer["result"]["value"].take()
    }

    /// The cookies that the page would be asked for with.
    pub(crate) fn cookies(&mut self) -> Value {
        self.ask("Network.getCookies", &json!({}))["cookies"].take()
    }

    pub(crate) fn set_cookie(&mut self, url: &str, name: &str, value: &str) {
        let cookie = json!({ "url": url, "name": name, "value": value, "httpOnly": true });
        self.ask("Network.setCookie", &cookie);
    }

    /// A picture of the page's beginning, for people: `target/screenshots/NAME.png`.
    pub(crate) fn picture(&mut self, name: &str) {
        let height = self.evaluate("document.documentElement.scrollHeight");
        let height = height.as_u64().expect("a height").min(2400);
        let clip =
            json!({ "x": 0, "y": 0, "width": self.reader.width, "height": height, "scale": 1 });
        let parameters = json!({ "captureBeyondViewport": true, "clip": clip });
        let picture = self.ask("Page.captureScreenshot", &parameters);
        let bytes = STANDARD
            .decode(text(&picture["data"]))
            .expect("it is base64");
        assert!(bytes.starts_with(b"\x89PNG"), "it is a PNG");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let folder = target.with_file_name("screenshots");
        fs::create_dir_all(&folder).expect("the folder can be made");
        fs::write(folder.join(format!("{name}.png")), bytes).expect("the picture can be written");
    }

    fn ask(&mut self, method: &str, parameters: &Value) -> Value {
        self.chromium.ask(Some(&self.session), method, parameters)
    }
}

impl Drop for Tab<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let target = json!({ "targetId": self.target });
            self.chromium.ask(None, "Target.closeTarget", &target);
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("it is text").to_owned()
}
