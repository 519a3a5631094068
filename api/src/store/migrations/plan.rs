//! Which migrations are missing, and whether the database is one of ours: a function of two lists.

use super::MigrateError;
use sqlx::migrate::{AppliedMigration, Migration};

/// What is to be done.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// In this order.
    pub(super) missing: Vec<&'a Migration>,
    /// The last one that only a newer release knows.
    pub(super) newest_unknown: Option<i64>,
}

/// Compares the migrations of this release with those applied. A newer release's are no obstacle: migrations expand before
/// they contract, and a release that is taken back must not be stopped by this.
pub(super) fn plan<'a>(
    known: &[&'a Migration],
    applied: &[AppliedMigration],
) -> Result<Plan<'a>, MigrateError> {
    let newest_known = known.iter().map(|migration| migration.version).max();
    let newest_applied = applied.iter().map(|migration| migration.version).max();
    for there in applied {
        match known.iter().find(|ours| ours.version == there.version) {
            Some(ours) if ours.checksum != there.checksum => {
                return Err(MigrateError::Altered(there.version));
            }
            Some(_) => {}
            None if Some(there.version) > newest_known => {}
            None => return Err(MigrateError::Foreign(there.version)),
        }
    }
    let missing: Vec<_> = known
        .iter()
        .copied()
        .filter(|ours| !applied.iter().any(|there| there.version == ours.version))
        .collect();
    if let Some(left_out) = missing
        .iter()
        .find(|ours| Some(ours.version) < newest_applied)
    {
        return Err(MigrateError::LeftOut(left_out.version));
    }
    Ok(Plan {
        missing,
        newest_unknown: newest_applied.filter(|version| Some(*version) > newest_known),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::{SqlSafeStr, migrate::MigrationType};

    fn known(version: i64) -> Migration {
        let kind = MigrationType::Simple;
        Migration::new(version, "".into(), kind, "SELECT 1".into_sql_str(), false)
    }

    fn applied(version: i64) -> AppliedMigration {
        AppliedMigration {
            version,
            checksum: known(version).checksum,
        }
    }

    fn planned(
        ours: &[i64],
        there: &[AppliedMigration],
    ) -> Result<(Vec<i64>, Option<i64>), String> {
        let ours: Vec<_> = ours.iter().map(|version| known(*version)).collect();
        plan(&ours.iter().collect::<Vec<_>>(), there)
            .map(|plan| {
                let missing = plan.missing.iter().map(|migration| migration.version);
                (missing.collect(), plan.newest_unknown)
            })
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_missing_is_applied_in_order_and_once() {
        assert_eq!(planned(&[1, 2], &[]), Ok((vec![1, 2], None)));
        assert_eq!(planned(&[1, 2], &[applied(1)]), Ok((vec![2], None)));
        let all = [applied(1), applied(2)];
        assert_eq!(planned(&[1, 2], &all), Ok((vec![], None)));
    }

    #[test]
    fn a_newer_releases_migrations_are_no_obstacle() {
        let newer = [applied(1), applied(2), applied(3)];
        assert_eq!(planned(&[1], &newer), Ok((vec![], Some(3))));
    }

    #[test]
    fn a_database_of_another_build_is_refused_by_the_migration_that_tells() {
        let altered = AppliedMigration {
            version: 1,
            checksum: vec![0].into(),
        };
        for (ours, there, told) in [
            (&[1, 2][..], vec![altered], "migration 1 is not the one"),
            (
                &[1, 3],
                vec![applied(1), applied(2)],
                "migration 2 is applied but unknown",
            ),
            (
                &[1, 2, 3],
                vec![applied(1), applied(3)],
                "migration 2 was left out",
            ),
            (
                &[1, 2],
                vec![applied(1), applied(3)],
                "migration 2 was left out",
            ),
        ] {
            let error = planned(ours, &there).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
