use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::clowder::Clowder;
use super::environment::Used;
use super::{ConfigError, Environment, Origin};

/// One setting on its way from its origins to its type.
///
/// The methods that give a value also record it for [`Environment::report`].
pub(super) struct Setting<'e> {
    environment: &'e Environment,
    name: &'static str,
    /// Shown in place of the value.
    shown: Option<String>,
    given: Option<(String, Origin)>,
}

impl<'e> Setting<'e> {
    pub fn new(environment: &'e Environment, name: &'static str) -> Self {
        let value = environment.variable(name);
        Self {
            environment,
            name,
            shown: None,
            given: value.map(|value| (value.to_owned(), Origin::Environment)),
        }
    }

    /// Never shown.
    pub fn secret(self) -> Self {
        self.shown_as("***".to_owned())
    }

    /// Shown as `text`, which leaves out what is secret.
    pub fn shown_as(mut self, text: String) -> Self {
        self.shown = Some(text);
        self
    }

    /// The part of `DATABASE_URL` that wins over the variable.
    pub fn unless_in_url(mut self, part: Option<String>) -> Self {
        if let Some(part) = part {
            self.given = Some((part, Origin::DatabaseUrl));
        }
        self
    }

    /// What Clowder says where the variable is not set.
    pub fn or_clowder<T: ToString>(mut self, read: impl FnOnce(&Clowder) -> Option<T>) -> Self {
        if self.given.is_none() {
            let value = self.environment.clowder().and_then(read);
            self.given = value.map(|value| (value.to_string(), Origin::Clowder));
        }
        self
    }

    pub fn optional_text(self) -> Option<String> {
        self.record("");
        self.given.map(|(value, _)| value)
    }

    pub fn text(self, default: &str) -> String {
        self.record(default);
        self.given
            .map_or_else(|| default.to_owned(), |(value, _)| value)
    }

    /// A text that `is_valid`; `allowed` says in words which are.
    pub fn checked_text(
        self,
        default: &str,
        is_valid: impl FnOnce(&str) -> bool,
        allowed: &str,
    ) -> Result<String, ConfigError> {
        self.parsed(default, allowed, |text| {
            is_valid(text).then(|| text.to_owned())
        })
    }

    pub fn number<T>(self, default: T, range: RangeInclusive<T>) -> Result<T, ConfigError>
    where
        T: Copy + Display + FromStr + PartialOrd,
    {
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        self.parsed(&default.to_string(), &allowed, |text| {
            text.trim()
                .parse()
                .ok()
                .filter(|number| range.contains(number))
        })
    }

    /// One of these names, without regard to case.
    pub fn one_of<T: Copy>(self, default: &str, names: &[(&str, T)]) -> Result<T, ConfigError> {
        let allowed: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        self.parsed(default, &allowed.join(", "), |text| {
            let known = names
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(text.trim()));
            known.map(|(_, value)| *value)
        })
    }

    /// What `parse` makes of the value, which records it too; `allowed` says in words what it takes.
    pub fn parsed<T>(
        self,
        default: &str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        self.record(default);
        let (value, origin) = match &self.given {
            Some((value, origin)) => (value.as_str(), *origin),
            None => (default, Origin::Default),
        };
        parse(value).ok_or_else(|| ConfigError::Wrong {
            name: self.name,
            found: self.shown(value),
            origin,
            allowed: allowed.to_owned(),
        })
    }

    fn record(&self, default: &str) {
        let (value, origin) = match &self.given {
            Some((value, origin)) => (value.as_str(), *origin),
            None => (default, Origin::Default),
        };
        self.environment.record(Used {
            name: self.name,
            value: self.shown(value),
            origin,
        });
    }

    fn shown(&self, value: &str) -> String {
        match &self.shown {
            Some(shown) if !value.is_empty() => shown.clone(),
            _ => value.to_owned(),
        }
    }
}
