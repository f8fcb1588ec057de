//! What the API answers when it can't.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use storepulse_analytics::store::StoreError;

/// Why a request is not answered. The message is for people, the code for programs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// A parameter is not what is allowed.
    #[error("{message}")]
    BadParameter {
        /// Its name.
        parameter: &'static str,
        /// What it is, and what is allowed.
        message: String,
    },
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// Nobody is logged in.
    #[error("log in first")]
    Unauthorized,
    /// Log-in data are wrong.
    #[error("the log-in data are wrong")]
    WrongLogIn,
    /// It will not be done for whoever asks.
    #[error("{0}")]
    Forbidden(String),
    /// Only later.
    #[error("{message}")]
    TooMany {
        /// What there is too much of.
        message: String,
        /// How long to wait.
        retry_after: Duration,
    },
    /// The store did not answer, or will not.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// After how long a store that does not answer may be asked again.
const STORE_RETRY: Duration = Duration::from_secs(2);

impl ApiError {
    /// A parameter that is `value`, where `allowed` is allowed.
    pub fn parameter(parameter: &'static str, value: &str, allowed: &str) -> Self {
        let value: String = value.chars().take(100).collect();
        Self::BadParameter { parameter, message: format!("{parameter} is {value:?}: allowed is {allowed}") }
    }

    /// The code in the answer.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadParameter { .. } => "bad_parameter",
            Self::NotFound(_) => "not_found",
            Self::Unauthorized | Self::WrongLogIn => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::TooMany { .. } => "too_many_requests",
            Self::Store(StoreError::Refused(_)) => "store_refused",
            Self::Store(_) => "store_unavailable",
        }
    }

    /// The status of the answer.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::BadParameter { .. } => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Unauthorized | Self::WrongLogIn => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Store(StoreError::Refused(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooMany { retry_after, .. } => Some(*retry_after),
            Self::Store(StoreError::Unavailable(_) | StoreError::Conflict(_)) => Some(STORE_RETRY),
            _ => None,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut error = serde_json::json!({ "code": self.code(), "message": self.to_string() });
        if let Self::BadParameter { parameter, .. } = &self {
            error["parameter"] = (*parameter).into();
        }
        let mut response = (self.status(), Json(serde_json::json!({ "error": error }))).into_response();
        if let Some(wait) = self.retry_after() {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response
    }
}
