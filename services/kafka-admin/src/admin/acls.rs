//! Access control lists: allow rules only, since the authorizer denies by default.

use std::fmt;
use std::str::FromStr;

use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::{CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest};
use kafka_protocol::protocol::StrBytes;

use super::Admin;
use crate::connection::check;
use crate::error::Result;

/// Matches any type, pattern, operation or permission in a filter.
const ANY: i8 = 1;
/// `AclPermissionType.ALLOW`.
const ALLOW: i8 = 3;
/// Any host.
const ANYWHERE: &str = "*";

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// The code in the protocol.
            pub fn code(self) -> i8 {
                match self { $(Self::$variant => $code,)* }
            }

            fn from_code(code: i8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $text,)* })
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text.to_ascii_lowercase().as_str() {
                    $($text => Ok(Self::$variant),)*
                    _ => Err(format!("`{text}` is not one of: {}", [$($text),*].join(", "))),
                }
            }
        }
    };
}

codes! {
    /// What an ACL is about.
    ResourceType {
        /// A topic.
        Topic = 2, "topic";
        /// A consumer group.
        Group = 3, "group";
        /// The cluster itself (its name is `kafka-cluster`).
        Cluster = 4, "cluster";
        /// A transactional id.
        TransactionalId = 5, "transactional-id";
    }
}

codes! {
    /// How the resource's name is matched.
    Pattern {
        /// The whole name.
        Literal = 3, "literal";
        /// The beginning of the name.
        Prefixed = 4, "prefixed";
    }
}

codes! {
    /// What may be done.
    Operation {
        /// Everything.
        All = 2, "all";
        /// Read.
        Read = 3, "read";
        /// Write.
        Write = 4, "write";
        /// Create.
        Create = 5, "create";
        /// Delete.
        Delete = 6, "delete";
        /// Alter.
        Alter = 7, "alter";
        /// Describe.
        Describe = 8, "describe";
        /// Act as a broker.
        ClusterAction = 9, "cluster-action";
        /// Read settings.
        DescribeConfigs = 10, "describe-configs";
        /// Change settings.
        AlterConfigs = 11, "alter-configs";
        /// Produce idempotently (implied by any write permission since Kafka 3.0).
        IdempotentWrite = 12, "idempotent-write";
    }
}

/// One permission, from any host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AclBinding {
    /// Whom it is given to, e.g. `User:simulator`.
    pub principal: String,
    /// What kind of thing.
    pub resource_type: ResourceType,
    /// Its name, or the beginning of it.
    pub resource: String,
    /// How the name is matched.
    pub pattern: Pattern,
    /// What may be done with it.
    pub operation: Operation,
}

impl fmt::Display for AclBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.pattern == Pattern::Prefixed { "*" } else { "" };
        write!(f, "{} {} {}:{}{star}", self.principal, self.operation, self.resource_type, self.resource)
    }
}

impl AclBinding {
    fn filter(&self) -> DeleteAclsFilter {
        DeleteAclsFilter::default()
            .with_resource_type_filter(self.resource_type.code())
            .with_resource_name_filter(Some(StrBytes::from_string(self.resource.clone())))
            .with_pattern_type_filter(self.pattern.code())
            .with_principal_filter(Some(StrBytes::from_string(self.principal.clone())))
            .with_host_filter(None)
            .with_operation(self.operation.code())
            .with_permission_type(ALLOW)
    }

    fn creation(&self) -> AclCreation {
        AclCreation::default()
            .with_resource_type(self.resource_type.code())
            .with_resource_name(StrBytes::from_string(self.resource.clone()))
            .with_resource_pattern_type(self.pattern.code())
            .with_principal(StrBytes::from_string(self.principal.clone()))
            .with_host(StrBytes::from_static_str(ANYWHERE))
            .with_operation(self.operation.code())
            .with_permission_type(ALLOW)
    }
}

impl Admin {
    /// Every allow rule for any host. (Rules for a single host and deny rules are not ours.)
    ///
    /// # Errors
    /// The connection failed or the broker refused.
    pub async fn acls(&mut self) -> Result<Vec<AclBinding>> {
        let request = DescribeAclsRequest::default()
            .with_resource_type_filter(ANY)
            .with_pattern_type_filter(ANY)
            .with_resource_name_filter(None)
            .with_principal_filter(None)
            .with_host_filter(None)
            .with_operation(ANY)
            .with_permission_type(ANY);
        let answer = self.connection.call(&request).await?;
        check(self.connection.peer(), "DescribeAcls", answer.error_code, answer.error_message.as_ref())?;
        let mut all = Vec::new();
        for resource in &answer.resources {
            let kind = ResourceType::from_code(resource.resource_type);
            let pattern = Pattern::from_code(resource.pattern_type);
            let (Some(resource_type), Some(pattern)) = (kind, pattern) else { continue };
            for acl in &resource.acls {
                let Some(operation) = Operation::from_code(acl.operation) else { continue };
                if acl.permission_type == ALLOW && acl.host.as_str() == ANYWHERE {
                    let (principal, resource) = (acl.principal.to_string(), resource.resource_name.to_string());
                    all.push(AclBinding { principal, resource_type, resource, pattern, operation });
                }
            }
        }
        all.sort();
        Ok(all)
    }

    /// Gives permissions; those that exist stay.
    ///
    /// # Errors
    /// The connection failed or the broker refused.
    pub async fn create_acls(&mut self, acls: &[AclBinding]) -> Result<()> {
        if acls.is_empty() {
            return Ok(());
        }
        let creations = acls.iter().map(AclBinding::creation).collect();
        let answer = self.connection.call(&CreateAclsRequest::default().with_creations(creations)).await?;
        for (result, acl) in answer.results.iter().zip(acls) {
            let what = format!("CreateAcls `{acl}`");
            check(self.connection.peer(), what, result.error_code, result.error_message.as_ref())?;
        }
        Ok(())
    }

    /// Takes permissions away; says how many there were.
    ///
    /// # Errors
    /// The connection failed or the broker refused.
    pub async fn delete_acls(&mut self, acls: &[AclBinding]) -> Result<usize> {
        let filters = acls.iter().map(AclBinding::filter).collect();
        let answer = self.connection.call(&DeleteAclsRequest::default().with_filters(filters)).await?;
        let mut deleted = 0;
        for (result, acl) in answer.filter_results.iter().zip(acls) {
            let what = format!("DeleteAcls `{acl}`");
            check(self.connection.peer(), what, result.error_code, result.error_message.as_ref())?;
            deleted += result.matching_acls.iter().filter(|found| found.error_code == 0).count();
        }
        Ok(deleted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_round_trip() {
        for code in 2..=12 {
            let operation = Operation::from_code(code).unwrap();
            assert_eq!(operation.code(), code);
            assert_eq!(operation.to_string().parse::<Operation>(), Ok(operation));
        }
        assert!("sing".parse::<Operation>().unwrap_err().contains("describe"));
    }
}
