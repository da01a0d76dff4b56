//! A tenant's short name in addresses, made from what a person calls themselves.

use common::db::tenants::OPERATORS;
use uuid::Uuid;

const LONGEST: usize = 40;

/// Slugs that would mislead, or that stand in addresses of ours.
const RESERVED: &[&str] = &[
    OPERATORS, "admin", "api", "app", "assets", "auth", "cabinet", "chat", "console", "demo",
    "docs", "files", "health", "help", "hooks", "mail", "metrics", "owner", "redoc", "root",
    "site", "static", "status", "support", "system", "widget", "www",
];

/// The slug of a name: ASCII letters, digits and dashes; Cyrillic is transliterated.
pub fn slug_of(name: &str) -> String {
    let mut slug = String::new();
    for letter in name.to_lowercase().chars() {
        match letter {
            'a'..='z' | '0'..='9' => slug.push(letter),
            _ => match transliterated(letter) {
                Some(latin) => slug.push_str(latin),
                None if slug.ends_with('-') || slug.is_empty() => {}
                None => slug.push('-'),
            },
        }
    }
    slug.truncate(LONGEST);
    let slug = slug.trim_matches('-');
    if slug.is_empty() {
        "tenant".to_owned()
    } else {
        slug.to_owned()
    }
}

/// Slugs to try one after the other: the name's own, numbered ones, at last one that nobody has.
pub fn candidates(name: &str) -> impl Iterator<Item = String> {
    let slug = slug_of(name);
    let first = (!RESERVED.contains(&slug.as_str())).then(|| slug.clone());
    let random = Uuid::new_v4().simple().to_string();
    let last = format!("{slug}-{}", &random[..8]);
    let numbered = (2..=9).map(move |no| format!("{slug}-{no}"));
    first.into_iter().chain(numbered).chain([last])
}

fn transliterated(letter: char) -> Option<&'static str> {
    Some(match letter {
        'а' => "a",
        'б' => "b",
        'в' => "v",
        'г' | 'ґ' => "g",
        'д' => "d",
        'е' | 'э' => "e",
        'ё' => "yo",
        'є' => "ye",
        'ж' => "zh",
        'з' => "z",
        'и' | 'і' => "i",
        'й' | 'ї' => "y",
        'к' => "k",
        'л' => "l",
        'м' => "m",
        'н' => "n",
        'о' => "o",
        'п' => "p",
        'р' => "r",
        'с' => "s",
        'т' => "t",
        'у' => "u",
        'ф' => "f",
        'х' => "kh",
        'ц' => "ts",
        'ч' => "ch",
        'ш' => "sh",
        'щ' => "shch",
        'ъ' | 'ь' => "",
        'ы' => "y",
        'ю' => "yu",
        'я' => "ya",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_slugs() {
        assert_eq!(slug_of("Анна Щукина"), "anna-shchukina");
        assert_eq!(slug_of("  My -- Shop! "), "my-shop");
        assert_eq!(slug_of("店"), "tenant");
        assert_eq!(slug_of(&"x".repeat(99)).len(), LONGEST);
    }

    #[test]
    fn reserved_slugs_are_numbered() {
        assert_eq!(candidates("Admin").next().unwrap(), "admin-2");
        let names: Vec<_> = candidates("anna").collect();
        assert_eq!(names[..3], ["anna", "anna-2", "anna-3"]);
        assert_eq!(names.len(), 10);
    }
}
