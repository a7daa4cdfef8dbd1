//! What a conversation is made of.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use crate::error::{Error, ErrorKind};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Role {
    /// Instructions for the model.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// The answer of a tool that the model called.
    Tool,
}

impl Role {
    /// The role as templates and JavaScript know it: `"user"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = Error;

    /// # Errors
    /// `InvalidArgument` if there is no such role.
    fn from_str(role: &str) -> Result<Self, Error> {
        [Self::System, Self::User, Self::Assistant, Self::Tool]
            .into_iter()
            .find(|known| known.as_str() == role)
            .ok_or_else(|| {
                Error::new(ErrorKind::InvalidArgument, "there is no such role")
                    .at("role of a message")
                    .got(format_args!("{role:?}"))
                    .expected("\"system\", \"user\", \"assistant\" or \"tool\"")
            })
    }
}

impl TryFrom<String> for Role {
    type Error = Error;

    fn try_from(role: String) -> Result<Self, Error> {
        role.parse()
    }
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

impl Message {
    /// A message of that role and content.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self { role, content: content.into() }
    }
}
