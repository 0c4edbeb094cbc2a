use super::{ConfigError, Environment};
use crate::status::{Field, Rules};

/// What this deployment demands of a message: `REQUIRED_FIELDS`, `VALIDATE_REQUEST_ID_LENGTH`
/// (0 to 255) and `RETENTION_DAYS` (1 to 100,000).
///
/// # Errors
///
/// On a value that is not allowed, and when a field that no status can be without is left out.
pub fn rules(env: &Environment) -> Result<Rules, ConfigError> {
    let default = Rules::default();
    Ok(Rules {
        required: env.setting("REQUIRED_FIELDS").parsed(
            &names(&default.required),
            &format!(
                "a list with commas of {}; of these service, request_id, status and date cannot be left out",
                names(&Field::ALL)
            ),
            required,
        )?,
        request_id_length: env
            .setting("VALIDATE_REQUEST_ID_LENGTH")
            .number(default.request_id_length, 0..=255)?,
        retention_days: retention_days(env)?,
    })
}

/// `RETENTION_DAYS`, by which messages are rejected and rows expire.
pub(super) fn retention_days(env: &Environment) -> Result<u32, ConfigError> {
    env.setting("RETENTION_DAYS")
        .number(Rules::default().retention_days, 1..=100_000)
}

fn names(fields: &[Field]) -> String {
    fields
        .iter()
        .map(|field| field.name())
        .collect::<Vec<_>>()
        .join(",")
}

fn required(list: &str) -> Option<Vec<Field>> {
    let fields: Vec<Field> = list
        .split(',')
        .map(|name| name.trim().parse().ok())
        .collect::<Option<_>>()?;
    let mut indispensable = Field::ALL
        .into_iter()
        .filter(|field| field.is_indispensable());
    indispensable
        .all(|field| fields.contains(&field))
        .then_some(fields)
}
