//! JSON-RPC 2.0, one message a line.

use std::io::Write;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Longest message that is read, in bytes.
pub const LONGEST: usize = 16 << 20;

/// A request, or a notification where it has no id.
#[derive(Debug, Deserialize)]
pub struct Call {
    /// Names the answer.
    pub id: Option<Value>,
    /// What is wanted. Absent in answers, of which we get none: nothing is asked of the editor.
    pub method: Option<String>,
    /// With what.
    #[serde(default)]
    pub params: Value,
}

impl Call {
    /// Reads a line.
    pub fn read(line: &str) -> Result<Self, Refusal> {
        let value: Value =
            serde_json::from_str(line).map_err(|e| Refusal::new(Code::Parse, e.to_string()))?;
        serde_json::from_value(value).map_err(|e| Refusal::new(Code::Request, e.to_string()))
    }

    /// The parameters as what they should be.
    pub fn params<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        T::deserialize(&self.params).map_err(|e| Refusal::new(Code::Params, e.to_string()))
    }
}

/// Why something is refused, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Not JSON.
    Parse,
    /// Not a request.
    Request,
    /// No such method.
    Method,
    /// Not its parameters.
    Params,
    /// It failed.
    Internal,
    /// No such session.
    NotFound,
}

impl Code {
    fn number(self) -> i32 {
        match self {
            Self::Parse => -32700,
            Self::Request => -32600,
            Self::Method => -32601,
            Self::Params => -32602,
            Self::Internal => -32603,
            Self::NotFound => -32002,
        }
    }
}

/// An error as the editor is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    code: Code,
    message: String,
}

impl Refusal {
    /// A refusal with its sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<crate::exit::Failure> for Refusal {
    fn from(failure: crate::exit::Failure) -> Self {
        let before = if failure.code.is_some() { "" } else { "failed to " };
        Self::new(Code::Internal, format!("{before}{}", failure.message))
    }
}

/// What is answered.
pub type Answer = Result<Value, Refusal>;

/// Answers the request `id`.
pub fn answer(id: &Value, answer: Answer) -> std::io::Result<()> {
    write(&match answer {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(Refusal { code, message }) => {
            json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code.number(), "message": message } })
        }
    })
}

/// Tells of something in the session.
pub fn update(session: &str, update: &Value) -> std::io::Result<()> {
    let params = json!({ "sessionId": session, "update": update });
    write(&json!({ "jsonrpc": "2.0", "method": "session/update", "params": params }))
}

/// Nothing else is ever written to standard output.
fn write(message: &Value) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{message}")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_read_or_refused_by_its_code() {
        let call = Call::read(r#"{"jsonrpc":"2.0","id":"x","method":"m","params":{"a":1}}"#).unwrap();
        assert_eq!((call.id, call.method.as_deref()), (Some("x".into()), Some("m")));
        assert_eq!(Call::read("{").unwrap_err().code, Code::Parse);
        assert_eq!(Call::read("[]").unwrap_err().code, Code::Request);
        assert_eq!(Call::read("{\"method\":1}").unwrap_err().code, Code::Request);
    }
}
