//! The decrypted text of a callback as named fields, whether it came as XML or as JSON.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::ParseError;
use crate::wecom::envelope::is_json;
use crate::wecom::xml::{Element, Tree, XmlError};

/// A payload that can be asked for its fields.
#[derive(Debug)]
pub enum Payload<'a> {
    /// XML: the ordinary form.
    Xml(Tree<'a>),
    /// A JSON object: 智能机器人.
    Json(Map<String, Value>),
    /// XML over the bounds of [`crate::wecom::xml`]: well signed, so it is kept, but nobody can ask it anything.
    TooLarge,
}

impl<'a> Payload<'a> {
    /// Reads a text as what it looks like.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        if is_json(text) {
            let text = text.trim_start_matches('\u{feff}');
            return serde_json::from_str(text).map(Self::Json).map_err(|_| ParseError);
        }
        match Tree::parse(text) {
            Ok(tree) => Ok(Self::Xml(tree)),
            Err(XmlError::TooLarge) => Ok(Self::TooLarge),
            Err(XmlError::Syntax) => Err(ParseError),
        }
    }

    /// The value at a path (`A` or `A/B`), without white space around it; `None` when it is missing or empty.
    pub fn get(&self, path: &str) -> Option<Cow<'_, str>> {
        let value = match self {
            Self::Xml(tree) => Cow::Borrowed(at_path(tree, path)?.text()),
            Self::Json(object) => json_at(object, path)?,
            Self::TooLarge => return None,
        };
        (!value.is_empty()).then_some(value)
    }

    /// The same with the white space that a person wrote.
    pub fn verbatim(&self, path: &str) -> Option<String> {
        match self {
            Self::Xml(tree) => Some(at_path(tree, path)?.verbatim().to_string()),
            Self::Json(_) | Self::TooLarge => self.get(path).map(Cow::into_owned),
        }
    }

    /// All of it under WeCom's own names; elements that are repeated become arrays, nested ones objects.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Xml(tree) => match element_json(tree.root()) {
                Value::String(text) if text.is_empty() => Value::Object(Map::new()),
                other => other,
            },
            Self::Json(object) => Value::Object(object.clone()),
            Self::TooLarge => Value::Object(Map::new()),
        }
    }
}

fn at_path<'t, 'a>(tree: &'t Tree<'a>, path: &str) -> Option<Element<'t, 'a>> {
    if path.bytes().all(|b| b != b'/') {
        return tree.root().child(path);
    }
    path.split('/').try_fold(tree.root(), |e, name| e.child(name))
}

fn json_at<'v>(object: &'v Map<String, Value>, path: &str) -> Option<Cow<'v, str>> {
    let named = |object: &'v Map<String, Value>, name: &str| {
        let exact = object.get(name);
        exact.or_else(|| {
            object
                .iter()
                .find(|(k, _)| k.eq_ignore_ascii_case(name))
                .map(|(_, v)| v)
        })
    };
    let mut names = path.split('/');
    let mut value = named(object, names.next()?)?;
    for name in names {
        value = named(value.as_object()?, name)?;
    }
    match value {
        Value::String(text) => Some(Cow::Borrowed(text.trim())),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Depth is bounded by the tree's own bound.
fn element_json(element: Element<'_, '_>) -> Value {
    let mut object = Map::new();
    for child in element.children() {
        let value = element_json(child);
        match object.get_mut(child.name()) {
            None => {
                object.insert(child.name().to_owned(), value);
            }
            Some(Value::Array(all)) => all.push(value),
            Some(one) => *one = Value::Array(vec![one.take(), value]),
        }
    }
    if object.is_empty() {
        return Value::String(element.verbatim().to_string());
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_becomes_json_with_arrays_for_repetitions_and_objects_for_nesting() {
        let payload = Payload::parse(
            "<xml><A>1</A><L><Item>x</Item><Item>y</Item><Item>z</Item></L><E></E><K>1</K><K>2</K></xml>",
        );
        let json = payload.unwrap().to_json();
        assert_eq!(
            json,
            serde_json::json!({"A": "1", "L": {"Item": ["x", "y", "z"]}, "E": "", "K": ["1", "2"]})
        );
    }

    #[test]
    fn fields_are_found_by_path_in_any_letter_case_and_empty_is_missing() {
        let xml = Payload::parse("<xml><UserId> li </UserId><B><C>1</C></B><E/></xml>").unwrap();
        assert_eq!(xml.get("UserID").as_deref(), Some("li"));
        assert_eq!(xml.get("B/C").as_deref(), Some("1"));
        assert_eq!((xml.get("E"), xml.get("X"), xml.get("B/X")), (None, None, None));
        let json = Payload::parse(r#"{"from":{"userid":"li"},"CreateTime":12,"x":null}"#).unwrap();
        assert_eq!(json.get("from/userid").as_deref(), Some("li"));
        assert_eq!(json.get("createtime").as_deref(), Some("12"));
        assert_eq!((json.get("x"), json.get("from")), (None, None));
    }
}
