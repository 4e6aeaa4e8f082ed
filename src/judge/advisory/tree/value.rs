//! What a file says, whatever its format: a tree of values.
//!
//! Two files are compared as trees, after what may change with a bump was taken out of both and a
//! [`Value::Hole`] left in its place. Order counts, also of the entries of a map, unless a reader sorts.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// One value of a parsed file.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    /// Nothing.
    #[default]
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number, as it is printed.
    Number(String),
    /// A number with a fraction, as it is printed: how it was written is lost (`4.10` is `4.1`).
    Fraction(String),
    /// A text.
    Text(String),
    /// Values in order.
    List(Vec<Value>),
    /// Values by their keys, in order; a key may come twice only after it was masked.
    Map(Vec<(String, Value)>),
    /// Where something stood that may change; what it was is told elsewhere.
    Hole,
}

impl Value {
    /// Returns the value of a key; `None` if this is no map or has no such key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries()
            .iter()
            .find_map(|(name, value)| (name == key).then_some(value))
    }

    /// Returns the value of a key, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        match self {
            Self::Map(entries) => entries
                .iter_mut()
                .find_map(|(name, value)| (name == key).then_some(value)),
            _ => None,
        }
    }

    /// Returns the value that is reached by these keys, one inside the other.
    pub fn at_mut(&mut self, path: &[&str]) -> Option<&mut Value> {
        path.iter().try_fold(self, |value, key| value.get_mut(key))
    }

    /// Returns the entries of a map; none of anything else.
    pub fn entries(&self) -> &[(String, Value)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Returns the entries of a map, to be changed; none of anything else.
    pub fn entries_mut(&mut self) -> &mut [(String, Value)] {
        match self {
            Self::Map(entries) => entries,
            _ => &mut [],
        }
    }

    /// Returns the elements of a list; none of anything else.
    pub fn elements(&self) -> &[Value] {
        match self {
            Self::List(elements) => elements,
            _ => &[],
        }
    }

    /// Returns the elements of a list, to be changed; none of anything else.
    pub fn elements_mut(&mut self) -> &mut [Value] {
        match self {
            Self::List(elements) => elements,
            _ => &mut [],
        }
    }

    /// Takes a key out of a map.
    pub fn take(&mut self, key: &str) -> Option<Value> {
        let Self::Map(entries) = self else {
            return None;
        };
        let at = entries.iter().position(|(name, _)| name == key)?;
        Some(entries.remove(at).1)
    }

    /// Puts an entry at the end of a map.
    pub fn put(&mut self, key: &str, value: Value) {
        if let Self::Map(entries) = self {
            entries.push((key.to_owned(), value));
        }
    }

    /// Returns the text; `None` of anything else.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the text of a key.
    pub fn text_of(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_text()
    }

    /// Returns text or whole number as it stands in the file; `None` of what is not one word.
    pub fn scalar(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text),
            _ => None,
        }
    }

    /// Puts the entries of a map, or the elements of a list, in an order that does not depend on the file's.
    pub fn sort(&mut self) {
        match self {
            Self::Map(entries) => entries.sort(),
            Self::List(elements) => elements.sort(),
            _ => {}
        }
    }

    /// Returns the path to the first difference; `None` if there is none.
    pub fn first_difference(&self, other: &Self) -> Option<String> {
        match (self, other) {
            _ if self == other => None,
            (Self::Map(left), Self::Map(right)) => {
                let pairs = left.iter().zip(right);
                for ((key, one), (other_key, other)) in pairs {
                    if key != other_key {
                        return Some(other_key.clone());
                    }
                    if let Some(inner) = one.first_difference(other) {
                        return Some(joined(key, &inner));
                    }
                }
                let longer = if left.len() > right.len() {
                    left
                } else {
                    right
                };
                let extra = longer.get(left.len().min(right.len()));
                extra.map(|(key, _)| key.clone())
            }
            (Self::List(left), Self::List(right)) => {
                for (one, other) in left.iter().zip(right) {
                    if let Some(inner) = one.first_difference(other) {
                        let name = one.text_of("name").unwrap_or_default();
                        return Some(joined(name, &inner));
                    }
                }
                let longer = if left.len() > right.len() {
                    left
                } else {
                    right
                };
                let extra = longer.get(left.len().min(right.len()))?;
                let name = extra.text_of("name").or(extra.as_text());
                Some(name.unwrap_or_default().to_owned())
            }
            (_, Self::Text(text)) => Some(text.clone()),
            (Self::Text(text), _) => Some(text.clone()),
            _ => Some(String::new()),
        }
    }
}

fn joined(head: &str, rest: &str) -> String {
    match (head.is_empty(), rest.is_empty()) {
        (true, _) => rest.to_owned(),
        (_, true) => head.to_owned(),
        _ => [head, rest].join(" / "),
    }
}

struct Reader;

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(Reader)
    }
}

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Fraction(value.to_string()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(Value::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries: Vec<(String, Value)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        while let Some((key, value)) = map.next_entry::<String, Value>()? {
            // Of two values for one key each tool takes another.
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom("a key comes twice"));
            }
            entries.push((key, value));
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::Value;

    fn json(text: &str) -> Option<Value> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn a_key_that_comes_twice_is_no_file() {
        assert!(json(r#"{"a":1,"b":2}"#).is_some());
        assert!(json(r#"{"a":1,"a":2}"#).is_none());
        assert!(json(r#"{"x":{"a":1,"\u0061":1}}"#).is_none());
    }

    #[test]
    fn the_first_difference_is_told_by_its_path() {
        let one = json(r#"{"a":{"b":[1,"x"]},"c":1}"#).unwrap();
        let two = json(r#"{"a":{"b":[1,"y"]},"c":1}"#).unwrap();
        assert_eq!(one.first_difference(&one), None);
        assert_eq!(one.first_difference(&two).unwrap(), "a / b / y");
        let more = json(r#"{"a":{"b":[1,"x"]},"c":1,"d":1}"#).unwrap();
        assert_eq!(one.first_difference(&more).unwrap(), "d");
    }

    #[test]
    fn order_counts_unless_it_is_taken_away() {
        let mut one = json(r#"{"a":1,"b":2}"#).unwrap();
        let mut two = json(r#"{"b":2,"a":1}"#).unwrap();
        assert!(one != two);
        one.sort();
        two.sort();
        assert!(one == two);
    }
}
