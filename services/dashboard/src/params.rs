//! Parameters of requests.

use storepulse_events::{CountryCode, Day};

use crate::error::ApiError;

/// The most days of a question.
pub const MAX_DAYS: i32 = 31;
/// The most characters of a search.
const MAX_SEARCH: usize = 100;
/// Rows, unless said otherwise.
const DEFAULT_LIMIT: usize = 100;
/// The most rows.
pub const MAX_LIMIT: usize = 500;

/// The parameters of a request's query, as they were given.
#[derive(Clone, Debug, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Reads `a=b&c=d`.
    pub fn parse(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// A parameter that is given and not empty.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, value)| given == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// `from` and `to`.
    ///
    /// # Errors
    ///
    /// If one of them is no day, or they are not a range of at most 31.
    pub fn days(&self, today: Day) -> Result<Days, ApiError> {
        let allowed = "a UTC day, YYYY-MM-DD, such as 2026-11-26";
        let day = |name: &'static str| match self.get(name) {
            None => Ok(today),
            Some(text) => Day::parse(text).ok_or_else(|| ApiError::parameter(name, text, allowed)),
        };
        let (from, to) = (day("from")?, day("to")?);
        if from > to {
            return Err(ApiError::parameter("from", &from.to_string(), &format!("at most to, which is {to}")));
        }
        let days = Days { from, to };
        if days.count() > MAX_DAYS {
            let allowed = format!(
                "at least {}: from and to are at most {MAX_DAYS} days",
                Day::from_number(to.number() - MAX_DAYS + 1)
            );
            return Err(ApiError::parameter("from", &from.to_string(), &allowed));
        }
        Ok(days)
    }

    /// `country`.
    ///
    /// # Errors
    ///
    /// If it is no code of a country.
    pub fn country(&self) -> Result<Option<CountryCode>, ApiError> {
        let allowed = "an assigned code of ISO 3166-1 alpha-2 in upper case, such as DE";
        self.get("country")
            .map(|text| CountryCode::parse(text).ok_or_else(|| ApiError::parameter("country", text, allowed)))
            .transpose()
    }

    /// `sort`: one of the `columns`, with a `-` in front for descending.
    ///
    /// # Errors
    ///
    /// If there is no such column.
    pub fn sort(&self, columns: &[&'static str], default: &str) -> Result<Sort, ApiError> {
        let text = self.get("sort").unwrap_or(default);
        let (descending, name) = match text.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, text),
        };
        let column = columns.iter().find(|column| **column == name).copied();
        let column = column.ok_or_else(|| {
            ApiError::parameter("sort", text, &format!("one of {}, with - in front for descending", columns.join(", ")))
        })?;
        Ok(Sort { column, descending })
    }

    /// `q`, in lower case.
    ///
    /// # Errors
    ///
    /// If it is too long.
    pub fn search(&self) -> Result<Option<String>, ApiError> {
        match self.get("q") {
            Some(text) if text.chars().count() > MAX_SEARCH => {
                Err(ApiError::parameter("q", text, &format!("a text of at most {MAX_SEARCH} characters")))
            }
            text => Ok(text.map(str::to_lowercase)),
        }
    }

    /// `limit`.
    ///
    /// # Errors
    ///
    /// If it is not from 1 to 500.
    pub fn limit(&self) -> Result<usize, ApiError> {
        let Some(text) = self.get("limit") else { return Ok(DEFAULT_LIMIT) };
        text.parse()
            .ok()
            .filter(|limit| (1..=MAX_LIMIT).contains(limit))
            .ok_or_else(|| ApiError::parameter("limit", text, &format!("a whole number from 1 to {MAX_LIMIT}")))
    }
}

/// Some UTC days in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    /// The first.
    pub from: Day,
    /// The last.
    pub to: Day,
}

impl Days {
    /// How many.
    pub const fn count(self) -> i32 {
        self.to.number() - self.from.number() + 1
    }

    /// Each, the first first.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = Day> + Clone {
        (self.from.number()..=self.to.number()).map(Day::from_number)
    }
}

/// The order of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// By which column.
    pub column: &'static str,
    /// The highest first.
    pub descending: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn today() -> Day {
        Day::parse("2026-11-26").unwrap()
    }

    #[test]
    fn what_is_not_given_has_its_default() {
        let params = Params::parse(Some("from=&country="));
        assert_eq!(params.days(today()).unwrap(), Days { from: today(), to: today() });
        assert_eq!((params.country(), params.search(), params.limit()), (Ok(None), Ok(None), Ok(100)));
        let sort = params.sort(&["a", "b"], "-b").unwrap();
        assert_eq!(sort, Sort { column: "b", descending: true });
    }

    #[test]
    fn bad_parameters_are_named_with_what_is_allowed() {
        let days = |query: &str| Params::parse(Some(query)).days(today()).map(Days::count);
        assert_eq!(days("from=2026-10-27&to=2026-11-26"), Ok(31));
        for bad in ["from=2026-10-26", "from=2026-11-27", "from=yesterday", "to=2026-02-30"] {
            let error = days(bad).unwrap_err();
            assert_eq!(error.code(), "bad_parameter");
            assert!(error.to_string().contains("allowed is"), "{error}");
        }
        let error = |query: &str| {
            let params = Params::parse(Some(query));
            let errors =
                [params.country().err(), params.sort(&["a"], "a").err(), params.search().err(), params.limit().err()];
            errors.into_iter().flatten().map(|e| e.to_string()).collect::<Vec<_>>()
        };
        for bad in ["country=de", "country=XX", "sort=c", "sort=--a", "limit=0", "limit=501", "limit=x"] {
            assert_eq!(error(bad).len(), 1, "{bad}");
        }
        assert_eq!(error(&format!("q={}", "x".repeat(101))).len(), 1);
        assert_eq!(Params::parse(Some("q=%C3%84+B")).search(), Ok(Some("ä b".to_owned())));
    }
}
