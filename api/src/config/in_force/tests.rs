use super::*;
use std::collections::BTreeSet;

fn variables(set: &[(&str, &str)]) -> Variables {
    set.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn shown(set: &[(&str, &str)]) -> Vec<Setting> {
    settings(&variables(set)).unwrap()
}

fn setting(set: &[(&str, &str)], name: &str) -> Setting {
    let all = shown(set);
    all.into_iter()
        .find(|setting| setting.name == name)
        .unwrap()
}

const BOTH: [(&str, &str); 2] = [("DB_HOST", "d"), ("REDIS_HOST", "r")];

#[test]
fn what_is_listed_is_what_is_read_and_nothing_else() {
    let listed: BTreeSet<&str> = VARIABLES.iter().map(|(name, ..)| *name).collect();
    let mut read = BTreeSet::new();
    for set in [&[][..], &BOTH] {
        let (_, readings) = Config::read(&variables(set)).unwrap();
        read.extend(readings.into_keys());
    }
    let read: BTreeSet<&str> = read.iter().map(String::as_str).collect();
    assert_eq!(
        listed, read,
        "config/variables.rs lists what config.rs reads"
    );
}

#[test]
fn every_setting_is_shown_once_in_the_order_of_the_help() {
    let names = |set: &[(&str, &str)]| -> Vec<&str> {
        shown(set).iter().map(|setting| setting.name).collect()
    };
    let listed: Vec<&str> = VARIABLES.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names(&[]), listed);
    assert_eq!(names(&BOTH), listed);
}

#[test]
fn defaults_are_those_of_the_help_unless_another_setting_moves_them() {
    for (name, default, _) in VARIABLES {
        let of = |set| setting(set, name);
        let setting = match of(&[]).source {
            Source::Unused => of(&BOTH),
            _ => of(&[]),
        };
        if BOTH.iter().all(|(host, _)| host != name) {
            assert_eq!(setting.value.as_deref().unwrap_or_default(), *default);
            assert_eq!(setting.source, Source::Default, "{name}");
        }
    }
}

#[test]
fn a_value_is_shown_as_it_was_understood() {
    let set = [&BOTH[..], &[("REDIS_TLS", "YES"), ("PORT", "05001")]].concat();
    let value = |name| setting(&set, name).value.unwrap();
    assert_eq!(
        (value("REDIS_TLS"), value("PORT")),
        ("true".into(), "5001".into())
    );
    assert_eq!(setting(&set, "PORT").source, Source::Environment);
}

#[test]
fn what_nothing_asks_for_is_said_to_be_unused() {
    assert_eq!(setting(&[], "DB_PORT").source, Source::Unused);
    assert_eq!(setting(&[], "DB_PORT").value, None);
    let set = [&BOTH[..], &[("DATA_FILE", "/data")]].concat();
    assert_eq!(setting(&set, "DATA_FILE").source, Source::Unused);
}

#[test]
fn secrets_are_hidden_and_their_files_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "hunter3").unwrap();
    let path = file.to_str().unwrap();
    let set = [
        &BOTH[..],
        &[("DB_PASSWORD", "hunter2"), ("REDIS_PASSWORD_FILE", path)],
    ]
    .concat();
    let all = shown(&set);
    assert!(!format!("{all:?}").contains("hunter"));
    let value = |name| setting(&set, name).value;
    assert_eq!(value("DB_PASSWORD").as_deref(), Some(HIDDEN));
    assert_eq!(value("REDIS_PASSWORD"), None);
    let line = setting(&set, "REDIS_PASSWORD_FILE").to_string();
    assert_eq!(
        line,
        format!("REDIS_PASSWORD_FILE      environment  {path} (readable)")
    );
    let gone = Setting::new(
        "DB_CA_FILE",
        true,
        Some(&Reading::File(Some("/nowhere".into()))),
    );
    assert_eq!(gone.readable, Some(false));
}

#[test]
fn a_value_stays_on_its_line() {
    let line = setting(&[("DATA_FILE", "a\nPORT b")], "DATA_FILE").to_string();
    assert_eq!(line, r"DATA_FILE                environment  a\nPORT b");
}

#[test]
fn wrong_settings_are_not_shown_but_told() {
    let error = settings(&variables(&[("PORT", "x")])).unwrap_err();
    assert_eq!(
        error,
        Config::parse(&variables(&[("PORT", "x")])).unwrap_err()
    );
}
