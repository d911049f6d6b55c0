//! tmp
#![expect(missing_docs)]
pub struct Spool;
impl Spool { pub fn open(_: &std::path::Path) -> Result<Self, String> { Ok(Self) } }
