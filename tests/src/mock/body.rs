//! Request bodies in, answer bodies out.

use std::convert::Infallible;
use std::io::Read as _;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE};
use hyper::{HeaderMap, Response, StatusCode};
use serde_json::Value;

use super::answer::Refused;

/// Why an answer's body stops before its end.
#[derive(Debug, thiserror::Error)]
#[error("the reply is cut off here")]
pub(super) struct CutOff;

/// The body of every answer.
pub(super) type AnswerBody = UnsyncBoxBody<Bytes, CutOff>;

/// Reads a whole request body as JSON, or a form as an object; `Null` where there is none or it is something else.
pub(super) async fn read_json(headers: &HeaderMap, body: Incoming) -> Value {
    let Ok(collected) = body.collect().await else { return Value::Null };
    let mut bytes = collected.to_bytes().to_vec();
    if headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding == "zstd") {
        bytes = unpack_zstd(&bytes).unwrap_or_default();
    }
    if headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/x-www-form-urlencoded") {
        return form(&bytes);
    }
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

/// A form as an object. Nothing that matters here is escaped.
fn form(bytes: &[u8]) -> Value {
    let text = String::from_utf8_lossy(bytes);
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect()
}

/// A whole JSON answer.
pub(super) fn json(status: u16, value: &Value) -> Response<AnswerBody> {
    refused(Refused::new(status, value.clone()))
}

/// A refusal as a response.
pub(super) fn refused(refused: Refused) -> Response<AnswerBody> {
    let mut response = Response::new(whole(refused.body.to_string()));
    *response.status_mut() =
        StatusCode::from_u16(refused.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    for (name, value) in refused.headers {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    }
    response
}

/// A whole body.
pub(super) fn whole(text: impl Into<Bytes>) -> AnswerBody {
    Full::new(text.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}

fn unpack_zstd(packed: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut decoder = ruzstd::decoding::StreamingDecoder::new(packed).map_err(std::io::Error::other)?;
    let mut plain = Vec::new();
    decoder.read_to_end(&mut plain)?;
    Ok(plain)
}
