//! A command beside servers of its own.

use std::process::Output;

use crate::world::Place;

fn run(place: &Place, script: &str) -> (Option<i32>, String) {
    let command = ["with-services", "--", "sh", "-c", script];
    let Output {
        status,
        stdout,
        stderr,
    } = place.stack().args(command).output().unwrap();
    let said = [stdout, stderr].concat();
    (status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn the_command_finds_both_servers_and_its_answer_is_ours() {
    let place = Place::new();
    let script =
        r#"redis-cli -u "$REDIS_URL" ping; psql -Atc "SHOW fsync" "$DATABASE_URL"; exit 7"#;
    assert_eq!(run(&place, script), (Some(7), "PONG\noff\n".to_owned()));
    assert_eq!(std::fs::read_dir(place.state("test")).unwrap().count(), 0);
}

#[test]
fn what_killed_runs_left_is_swept() {
    let place = Place::new();
    std::fs::create_dir_all(place.state("test/999999999/postgres")).unwrap();
    assert_eq!(run(&place, "true"), (Some(0), String::new()));
    assert!(!place.state("test/999999999").exists());
}
