//! Schemas that every client can map: some know a property to have one type only, and complain of formats of numbers. What
//! may be left out is left out, and is never null, so that nothing is lost.

use std::sync::Arc;

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::model::JsonObject;
use serde_json::Value;

/// Takes null, and what numbers look like in memory, out of the schemas of all tools.
pub(super) fn make_portable<S>(tools: &mut ToolRouter<S>) {
    for route in tools.map.values_mut() {
        narrow(&mut route.attr.input_schema);
        route.attr.output_schema.iter_mut().for_each(narrow);
    }
}

fn narrow(schema: &mut Arc<JsonObject>) {
    let mut value = Value::Object((**schema).clone());
    simplify(&mut value);
    if let Value::Object(narrowed) = value {
        *schema = Arc::new(narrowed);
    }
}

fn simplify(schema: &mut Value) {
    match schema {
        Value::Array(each) => each.iter_mut().for_each(simplify),
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [one] = types.as_slice() {
                    let one = one.clone();
                    object.insert("type".to_owned(), one);
                }
            }
            if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
                if let [Value::Object(one)] = choices.as_slice() {
                    let one = one.clone();
                    object.remove("anyOf");
                    object.extend(one);
                }
            }
            let is_number = object.get("type").is_some_and(|kind| kind == "integer" || kind == "number");
            if is_number {
                object.remove("format");
            }
            object.values_mut().for_each(simplify);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_may_be_absent_is_never_null() {
        let mut schema = json!({
            "properties": {
                "from": { "type": ["string", "null"], "description": "who" },
                "at": { "type": "integer", "format": "uint32", "minimum": 0 },
                "when": { "type": "string", "format": "date-time" },
                "letter": { "anyOf": [{ "$ref": "#/$defs/Letter" }, { "type": "null" }] },
                "either": { "anyOf": [{ "type": "string" }, { "type": "integer" }] },
            },
            "$defs": { "Letter": { "properties": { "thread": { "type": ["string", "null"] } } } },
        });
        simplify(&mut schema);
        assert_eq!(
            schema,
            json!({
                "properties": {
                    "from": { "type": "string", "description": "who" },
                    "at": { "type": "integer", "minimum": 0 },
                    "when": { "type": "string", "format": "date-time" },
                    "letter": { "$ref": "#/$defs/Letter" },
                    "either": { "anyOf": [{ "type": "string" }, { "type": "integer" }] },
                },
                "$defs": { "Letter": { "properties": { "thread": { "type": "string" } } } },
            })
        );
    }
}
