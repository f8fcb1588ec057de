//! SCRAM users (KIP-554). The password is salted and hashed here and never sent.

use std::collections::BTreeSet;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use kafka_protocol::messages::describe_user_scram_credentials_request::UserName;
use kafka_protocol::messages::{AlterUserScramCredentialsRequest, DescribeUserScramCredentialsRequest};
use kafka_protocol::protocol::StrBytes;

use super::Admin;
use crate::connection::check;
use crate::error::{Error, Result};
use crate::scram::Mechanism;
use crate::secret::Secret;

/// Iterations of a stored credential: twice Kafka's default. (Kafka allows 4,096 to 16,384.)
const ITERATIONS: u16 = 8_192;
/// Bytes of salt.
const SALT: usize = 24;

impl Admin {
    /// Which of `users` have a credential for `mechanism`.
    ///
    /// # Errors
    /// The connection failed or the broker refused.
    pub async fn scram_users(&mut self, mechanism: Mechanism, users: &[String]) -> Result<BTreeSet<String>> {
        let users = users.iter().map(|user| UserName::default().with_name(StrBytes::from_string(user.clone())));
        let request = DescribeUserScramCredentialsRequest::default().with_users(Some(users.collect()));
        let answer = self.connection.call(&request).await?;
        let to = self.connection.peer();
        check(to, "DescribeUserScramCredentials", answer.error_code, answer.error_message.as_ref())?;
        let mut found = BTreeSet::new();
        for result in &answer.results {
            // A user without credentials is `ResourceNotFound`: not a failure.
            if result.error_code != ResponseError::ResourceNotFound.code() {
                let what = format!("DescribeUserScramCredentials {}", result.user);
                check(to, what, result.error_code, result.error_message.as_ref())?;
            }
            if result.credential_infos.iter().any(|info| info.mechanism == mechanism.code()) {
                found.insert(result.user.to_string());
            }
        }
        Ok(found)
    }

    /// Sets a user's password, making the user when there is none.
    ///
    /// # Errors
    /// The connection failed or the broker refused.
    pub async fn set_scram_user(&mut self, mechanism: Mechanism, user: &str, password: &Secret) -> Result<()> {
        let mut salt = [0_u8; SALT];
        getrandom::fill(&mut salt).map_err(|error| Error::Config(format!("no random numbers: {error}")))?;
        let salted = mechanism.salted_password(password, &salt, ITERATIONS.into());
        let upsertion = ScramCredentialUpsertion::default()
            .with_name(StrBytes::from_string(user.to_owned()))
            .with_mechanism(mechanism.code())
            .with_iterations(ITERATIONS.into())
            .with_salt(salt.to_vec().into())
            .with_salted_password(salted.into());
        let request = AlterUserScramCredentialsRequest::default().with_upsertions(vec![upsertion]);
        self.alter_users(&request).await
    }

    /// Removes a user's credential.
    ///
    /// # Errors
    /// The connection failed or the broker refused (`ResourceNotFound` when there is none).
    pub async fn delete_scram_user(&mut self, mechanism: Mechanism, user: &str) -> Result<()> {
        let deletion = ScramCredentialDeletion::default()
            .with_name(StrBytes::from_string(user.to_owned()))
            .with_mechanism(mechanism.code());
        let request = AlterUserScramCredentialsRequest::default().with_deletions(vec![deletion]);
        self.alter_users(&request).await
    }

    async fn alter_users(&mut self, request: &AlterUserScramCredentialsRequest) -> Result<()> {
        let answer = self.connection.call(request).await?;
        for result in &answer.results {
            let what = format!("AlterUserScramCredentials {}", result.user);
            check(self.connection.peer(), what, result.error_code, result.error_message.as_ref())?;
        }
        Ok(())
    }
}
