//! What dies starts again, and what is told to stop is gone in time.

use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use stack::log::Log;
use stack::program::{Ending, Program, find, pid};
use stack::supervisor::{Life, Supervisor};
use tempfile::TempDir;

use crate::world::is_running;

const NAME: &str = "child";

fn program(folder: &TempDir, file: &str, args: &[&str]) -> Program {
    Program {
        name: NAME,
        path: find(file).unwrap(),
        args: args.iter().map(Into::into).collect(),
        env: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
        log: Log::open(folder.path().join("child.log")).unwrap(),
        user: None,
        folder: None,
        ending: Ending::DRAINS,
    }
}

async fn life(supervisor: &Supervisor, when: impl Fn(&Life) -> bool) -> Life {
    let mut lives = supervisor.lives();
    let found = lives
        .wait_for(|lives| lives.get(NAME).is_some_and(&when))
        .await;
    found.unwrap()[NAME].clone()
}

async fn running(supervisor: &Supervisor, deaths: u32, not: Option<u32>) -> u32 {
    let alive = |life: &Life| life.deaths == deaths && life.pid.is_some() && life.pid != not;
    life(supervisor, alive).await.pid.unwrap()
}

#[tokio::test]
async fn a_killed_program_runs_again_within_half_a_second_however_often() {
    let folder = tempfile::tempdir().unwrap();
    let mut supervisor = Supervisor::default();
    supervisor.start(program(&folder, "sleep", &["1000"]));
    let mut child = running(&supervisor, 0, None).await;
    for deaths in 1..=4 {
        let killed = Instant::now();
        kill_process(pid(child).unwrap(), Signal::KILL).unwrap();
        child = running(&supervisor, deaths, Some(child)).await;
        assert!(
            killed.elapsed() < Duration::from_millis(500),
            "{:?}",
            killed.elapsed()
        );
        let program = std::fs::read_link(format!("/proc/{child}/exe")).unwrap();
        assert_eq!(program, find("sleep").unwrap().canonicalize().unwrap());
    }
    supervisor.stop(&[NAME], Duration::from_secs(5)).await;
    assert!(!is_running(child));
}

#[tokio::test]
async fn a_program_that_always_fails_does_not_eat_a_core() {
    let folder = tempfile::tempdir().unwrap();
    let mut supervisor = Supervisor::default();
    let started = Instant::now();
    supervisor.start(program(&folder, "false", &[]));
    supervisor.died(NAME, 5).await;
    let took = started.elapsed();
    assert!(took > Duration::from_millis(800), "{took:?}");
    assert!(took < Duration::from_millis(2500), "{took:?}");
    supervisor.stop(&[NAME], Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_program_that_will_not_end_is_killed_after_the_grace() {
    let folder = tempfile::tempdir().unwrap();
    let mut supervisor = Supervisor::default();
    let deaf = "trap '' TERM; echo deaf; while :; do sleep 0.1; done";
    supervisor.start(program(&folder, "sh", &["-c", deaf]));
    let child = running(&supervisor, 0, None).await;
    while std::fs::read(folder.path().join("child.log"))
        .unwrap()
        .is_empty()
    {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let told = Instant::now();
    supervisor.stop(&[NAME], Duration::from_millis(300)).await;
    assert!(told.elapsed() >= Duration::from_millis(300));
    assert!(told.elapsed() < Duration::from_millis(1000));
    assert!(!is_running(child));
}

#[tokio::test]
async fn a_program_that_ends_when_told_is_not_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut supervisor = Supervisor::default();
    supervisor.start(program(&folder, "sleep", &["1000"]));
    let child = running(&supervisor, 0, None).await;
    supervisor.stop(&[NAME], Duration::from_secs(5)).await;
    let life = life(&supervisor, |life| life.ended).await;
    assert_eq!((life.pid, life.deaths), (Some(child), 0));
    assert!(!is_running(child));
}

#[tokio::test]
async fn what_fails_says_why_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let failing = program(&folder, "sh", &["-c", "echo first; echo why >&2; exit 3"]);
    let problem = failing.finish().await.unwrap_err().to_string();
    assert!(
        problem.starts_with("child failed: first; why (log: "),
        "{problem}"
    );
}
