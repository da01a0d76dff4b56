//! A new encryption key for a running world, step by step, and what keeps the old one.

use std::time::Duration;

use rustix::process::Signal;

use crate::world::{Place, eventually, failure};

/// The keys that the worker was started with, each time: the current, the old and the next one.
fn told(place: &Place) -> Vec<[String; 3]> {
    let text = std::fs::read_to_string(place.state("restarts")).unwrap();
    let keys = |line: &str| {
        let mut keys = line.split(' ').map(str::to_owned);
        std::array::from_fn(|_| keys.next().unwrap())
    };
    text.lines().map(keys).collect()
}

fn rotate(place: &Place) -> String {
    let done = place.rotate_keys().output().unwrap();
    let said = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
    assert!(done.status.success(), "{said}");
    said
}

#[test]
fn every_process_opens_with_the_new_key_before_one_seals_with_it() {
    let place = Place::new();
    let world = place.start(&mut place.run());
    let (api, worker) = (world.pid("api"), world.pid("worker"));
    let said = rotate(&place);
    let none = String::new();
    let lives = told(&place);
    let (a, b) = (lives[0][0].clone(), lives[3][0].clone());
    assert_ne!(a, b);
    let expected = [
        [a.clone(), none.clone(), none.clone()],
        [a.clone(), none.clone(), b.clone()],
        [b.clone(), a.clone(), none.clone()],
        [b.clone(), none.clone(), none.clone()],
    ];
    assert_eq!(lives, expected);
    assert!(!said.contains(&a) && !said.contains(&b), "{said}");
    assert!(world.pid("api") != api && world.pid("worker") != worker);
    let kept = std::fs::read_to_string(place.state("env")).unwrap();
    assert!(kept.contains(&b) && !kept.contains(&a));
    world.end(Signal::TERM);
}

#[test]
fn a_key_that_a_shop_needs_stays_and_the_next_try_goes_on() {
    let place = Place::new();
    let world = place.start(&mut place.run());
    std::fs::write(place.state("lazy"), "").unwrap();
    let mut rotating = place.rotate_keys().spawn().unwrap();
    eventually(Duration::from_secs(20), "the new key seals", || {
        told(&place).len() == 3
    });
    std::thread::sleep(Duration::from_secs(1));
    rotating.kill().unwrap();
    rotating.wait().unwrap();
    let old = told(&place)[0][0].clone();
    let kept = || std::fs::read_to_string(place.state("env")).unwrap();
    assert!(kept().contains(&format!("ENCRYPTION_KEYS_OLD={old}")));
    std::fs::remove_file(place.state("lazy")).unwrap();
    rotate(&place);
    assert!(!kept().contains(&old));
    let lives = told(&place);
    assert_eq!(lives[2], lives[3]);
    assert_eq!(lives[4], [lives[2][0].as_str(), "", ""]);
    world.end(Signal::TERM);
}

#[test]
fn what_cannot_be_rotated_here_is_said() {
    let place = Place::new();
    let problem = failure(&mut place.rotate_keys());
    assert!(
        problem.starts_with("error: nothing runs with STATE_DIR"),
        "{problem}"
    );
    let problem = failure(place.rotate_keys().env("ENCRYPTION_KEY", "mine"));
    assert!(
        problem.starts_with("error: ENCRYPTION_KEY is set"),
        "{problem}"
    );
}
