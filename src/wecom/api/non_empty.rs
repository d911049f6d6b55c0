//! A list that cannot be empty: nobody can address people without naming them.

use serde::Serialize;

/// At least one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct NonEmpty<T>(Vec<T>);

impl<T> NonEmpty<T> {
    /// One item.
    pub fn one(item: T) -> Self {
        Self(vec![item])
    }

    /// `None` when the list is empty or longer than `max`.
    pub fn new(items: Vec<T>, max: usize) -> Option<Self> {
        (!items.is_empty() && items.len() <= max).then_some(Self(items))
    }

    /// The items.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }
}
