//! What can be seen of a Traefik from outside: its arguments and variables. [pure]

use std::collections::BTreeMap;

use super::facts::Workload;

/// Static settings of one Traefik, by the path that Traefik knows them by, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings(BTreeMap<String, String>);

/// Whether this is a Traefik.
pub(super) fn is_traefik(workload: &Workload) -> bool {
    let label = workload.labels.get("app.kubernetes.io/name");
    let repository = |image: &String| {
        let image = image.split('@').next().unwrap_or_default();
        let last = image.rsplit('/').next().unwrap_or_default();
        last.split(':').next().unwrap_or_default().to_owned()
    };
    let known = ["traefik", "mirrored-library-traefik"];
    label.is_some_and(|name| name == "traefik")
        || workload
            .images
            .iter()
            .any(|image| known.contains(&repository(image).as_str()))
}

impl Settings {
    /// The settings; `None` where they are in a file that cannot be seen.
    pub(super) fn of(workload: &Workload) -> Option<Self> {
        let mut settings = BTreeMap::new();
        for argument in &workload.arguments {
            let Some(argument) = argument.strip_prefix("--") else {
                continue;
            };
            let (key, value) = argument.split_once('=').unwrap_or((argument, "true"));
            settings.insert(key.to_ascii_lowercase(), value.to_owned());
        }
        for (name, value) in &workload.variables {
            if let Some(name) = name.strip_prefix("TRAEFIK_") {
                let key = name.to_ascii_lowercase().replace('_', ".");
                settings.entry(key).or_insert_with(|| value.clone());
            }
        }
        let is_hidden = settings.is_empty() || settings.contains_key("configfile");
        (!is_hidden).then_some(Self(settings))
    }

    /// Whether `IngressRoutes` are read.
    pub(super) fn reads_routes(&self) -> bool {
        let provider = "providers.kubernetescrd";
        match self.0.get(provider) {
            Some(value) => value != "false",
            None => self
                .0
                .keys()
                .any(|key| key.starts_with(&format!("{provider}."))),
        }
    }

    /// Namespaces whose routes are read; empty for all.
    pub(super) fn namespaces(&self) -> Vec<&str> {
        let list = self.0.get("providers.kubernetescrd.namespaces");
        let names = list.into_iter().flat_map(|list| list.split(','));
        names
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect()
    }

    /// Class that routes have to be annotated with.
    pub(super) fn ingress_class(&self) -> Option<&str> {
        let class = self.0.get("providers.kubernetescrd.ingressclass")?;
        (!class.is_empty()).then_some(class)
    }

    /// Names of the entry points, in lower case; empty where none can be seen.
    pub(super) fn entry_points(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .0
            .keys()
            .filter_map(|key| key.strip_prefix("entrypoints."))
            .filter_map(|rest| rest.split('.').next())
            .collect();
        names.dedup();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::{Settings, is_traefik};
    use crate::cli::doctor::Workload;

    fn with(arguments: &[&str], variables: &[(&str, &str)]) -> Workload {
        Workload {
            arguments: arguments.iter().map(ToString::to_string).collect(),
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..Workload::default()
        }
    }

    #[test]
    fn a_traefik_is_known_by_its_label_or_its_image() {
        let image = |image: &str| Workload {
            images: vec![image.to_owned()],
            ..Workload::default()
        };
        for known in [
            "traefik:v3.5",
            "docker.io/traefik",
            "rancher/mirrored-library-traefik:3.3@sha256:00",
            "registry:5000/library/traefik:v3",
        ] {
            assert!(is_traefik(&image(known)), "{known}");
        }
        for other in ["traefik/whoami:v1", "nginx", "traefik.example.org/shop:1"] {
            assert!(!is_traefik(&image(other)), "{other}");
        }
        let mut labelled = image("mirror/edge:1");
        labelled
            .labels
            .insert("app.kubernetes.io/name".to_owned(), "traefik".to_owned());
        assert!(is_traefik(&labelled));
    }

    #[test]
    fn settings_are_arguments_in_any_case_and_variables() {
        let settings = Settings::of(&with(
            &[
                "traefik",
                "--entryPoints.web.address=:8000/tcp",
                "--entrypoints.websecure.address=:8443",
                "--providers.kubernetesCRD",
                "--providers.kubernetescrd.namespaces=a, b",
            ],
            &[
                ("TRAEFIK_ENTRYPOINTS_EXTRA_ADDRESS", ":9000"),
                ("HOME", "/"),
            ],
        ))
        .unwrap();
        assert!(settings.reads_routes());
        assert_eq!(settings.entry_points(), ["extra", "web", "websecure"]);
        assert_eq!(settings.namespaces(), ["a", "b"]);
        assert_eq!(settings.ingress_class(), None);
    }

    #[test]
    fn a_provider_is_off_unless_something_of_it_is_set() {
        let reads =
            |arguments: &[&str]| Settings::of(&with(arguments, &[])).unwrap().reads_routes();
        assert!(!reads(&["--providers.kubernetesingress"]));
        assert!(!reads(&["--providers.kubernetescrd=false"]));
        assert!(reads(&[
            "--providers.kubernetescrd.allowCrossNamespace=true"
        ]));
    }

    #[test]
    fn what_is_in_a_file_is_not_seen() {
        assert_eq!(Settings::of(&with(&[], &[])), None);
        assert_eq!(
            Settings::of(&with(&["--configFile=/etc/traefik.yml"], &[])),
            None
        );
    }
}
