//! Which language the command line speaks.

use crate::model::text::Lang;

/// The language of this process's environment: `LC_ALL` if it is set and not empty, else `LANG`.
pub fn of_environment() -> Lang {
    let read = |name| std::env::var(name).ok();
    choose(read("LC_ALL"), read("LANG"))
}

fn choose(lc_all: Option<String>, lang: Option<String>) -> Lang {
    let set = |v: &String| !v.is_empty();
    Lang::of(lc_all.filter(set).or(lang).as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lc_all_wins_over_lang_unless_it_is_empty() {
        let some = |t: &str| Some(t.to_owned());
        assert_eq!(choose(some("en_US.UTF-8"), some("zh_CN.UTF-8")), Lang::En);
        assert_eq!(choose(some(""), some("zh_CN.UTF-8")), Lang::Zh);
        assert_eq!(choose(None, some("zh_CN.UTF-8")), Lang::Zh);
        assert_eq!(choose(None, None), Lang::En);
    }
}
