//! A whole world: ready, kept running, ended, and refused where something is wrong.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::world::{Place, eventually, failure, is_running, signal};

const PROGRAMS: [&str; 5] = ["api", "worker", "sandbox", "postgres", "redis"];

#[test]
fn a_world_becomes_ready_survives_kills_and_ends() {
    let place = Place::new();
    let world = place.start(&mut place.run());
    for login in ["owner@demo.test", "anna@demo.test", "operator@demo.test"] {
        assert!(world.said.contains(login), "{}", world.said);
    }
    let run = world.run_json();
    assert_eq!(run["api"], format!("http://127.0.0.1:{}", place.api_port));
    assert_eq!(
        run["sandbox"],
        format!("http://127.0.0.1:{}", place.sandbox_port)
    );
    assert_eq!(run["logins"][1]["email"], "anna@demo.test");
    let migrated = std::fs::read_to_string(place.state("migrate")).unwrap();
    assert_eq!(run["database_url"], migrated);

    for name in PROGRAMS {
        let before = world.pid(name);
        signal(before, Signal::KILL);
        eventually(Duration::from_millis(500), name, || {
            world.pid(name) != before
        });
        let program = std::fs::read_link(format!("/proc/{}/exe", world.pid(name))).unwrap();
        assert!(
            !program.ends_with("setpriv") && !program.ends_with("dash"),
            "{program:?}"
        );
    }
    eventually(
        Duration::from_secs(5),
        "PostgreSQL and Redis answer again",
        || {
            ["database_url", "redis_url"]
                .iter()
                .all(|url| listens(&world.run_json()[url]))
        },
    );

    let pids = PROGRAMS.map(|name| world.pid(name));
    assert!(world.end(Signal::TERM) < Duration::from_secs(10));
    assert!(!pids.into_iter().any(is_running));
    assert!(!place.state("run.json").exists());

    let again = Instant::now();
    let world = place.start(&mut place.run());
    assert!(again.elapsed() < Duration::from_secs(5));
    world.end(Signal::INT);
}

fn listens(url: &serde_json::Value) -> bool {
    let url = reqwest::Url::parse(url.as_str().unwrap()).unwrap();
    let address = (url.host_str().unwrap().to_owned(), url.port().unwrap());
    std::net::TcpStream::connect(address).is_ok()
}

#[test]
fn nothing_is_left_when_the_supervisor_is_killed() {
    let place = Place::new();
    let world = place.start(&mut place.run());
    let pids = PROGRAMS.map(|name| world.pid(name));
    signal(world.supervisor(), Signal::KILL);
    eventually(Duration::from_secs(3), "all are gone", || {
        !pids.into_iter().any(is_running)
    });
    drop(world);
    place.start(&mut place.run()).end(Signal::TERM);
}

#[test]
fn a_second_one_in_the_same_place_is_refused_and_a_neighbour_is_not() {
    let (place, other) = (Place::new(), Place::new());
    let world = place.start(&mut place.run());
    let problem = failure(&mut place.run());
    assert!(
        problem.starts_with("error: another one runs with this STATE_DIR"),
        "{problem}"
    );
    let problem = failure(other.run().env("APP_PORT", place.api_port.to_string()));
    assert_eq!(
        problem,
        format!("error: port {} (APP_PORT) is taken", place.api_port)
    );
    let neighbour = other.start(&mut other.run());
    assert_ne!(
        neighbour.run_json()["database_url"],
        world.run_json()["database_url"]
    );
    neighbour.end(Signal::TERM);
    world.end(Signal::TERM);
}

#[test]
fn servers_of_others_are_used_and_left_alone() {
    let (place, other) = (Place::new(), Place::new());
    let world = place.start(&mut place.run());
    let run = world.run_json();
    let url = |name: &str| run[name].as_str().unwrap().to_owned();
    let database = url("database_url")
        .replace("chat_center_demo", "of \"others\"")
        .replace(' ', "%20");
    let guest = other.start(
        other
            .run()
            .arg("--real")
            .env("DATABASE_URL", &database)
            .env("REDIS_URL", url("redis_url")),
    );
    let json = guest.run_json();
    for name in ["sandbox", "postgres", "redis"] {
        assert_eq!(json["pids"][name], serde_json::Value::Null);
    }
    assert_eq!(
        (&json["sandbox"], &json["logins"]),
        (&serde_json::Value::Null, &serde_json::json!([]))
    );
    guest.end(Signal::TERM);
    assert!(is_running(world.pid("postgres")) && is_running(world.pid("redis")));
    world.end(Signal::TERM);
}

#[test]
fn fresh_forgets_and_refuses_servers_of_others() {
    let place = Place::new();
    place.start(&mut place.run()).end(Signal::TERM);
    let keys = std::fs::read_to_string(place.state("env")).unwrap();
    let outside = place.folder().join("outside");
    std::fs::write(&outside, "precious").unwrap();
    std::os::unix::fs::symlink(&outside, place.state("sandbox")).unwrap();

    let database = ("DATABASE_URL", "postgres://u:p@127.0.0.1/d");
    for (name, value) in [database, ("REDIS_URL", "redis://127.0.0.1")] {
        let problem = failure(place.run().arg("--fresh").env(name, value));
        assert!(problem.contains(&format!("unset {name}")), "{problem}");
    }
    assert_eq!(std::fs::read_to_string(place.state("env")).unwrap(), keys);

    place.start(place.run().arg("--fresh")).end(Signal::TERM);
    assert_ne!(std::fs::read_to_string(place.state("env")).unwrap(), keys);
    assert!(!place.state("sandbox").exists());
    assert!(outside.exists());
}

#[test]
fn what_is_wrong_is_said_in_one_line() {
    let place = Place::new();
    let problem = failure(place.run().env("APP_PORT", "eighty"));
    assert_eq!(
        problem,
        "error: APP_PORT must be a port, a number from 1 to 65535"
    );
    let problem = failure(place.run().arg("--frehs"));
    assert_eq!(
        problem,
        "error: unexpected argument '--frehs' found (try --help)"
    );
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let problem = failure(place.run().env("REDIS_URL", format!("redis://{closed}")));
    assert_eq!(problem, "error: REDIS_URL: no server answers there");
    let problem = failure(
        place
            .run()
            .env("DATABASE_URL", format!("postgres://u:p@{closed}/d")),
    );
    assert!(
        problem.starts_with("error: DATABASE_URL: Connection refused"),
        "{problem}"
    );
    for step in ["migrate", "seed-demo", "worker", "api"] {
        let problem = failure(place.run().env("FAKE_FAILS", step));
        assert!(problem.starts_with(&format!("error: {step} ")), "{problem}");
        assert!(
            problem.contains(": FAKE_FAILS must be unset (log: "),
            "{problem}"
        );
    }
}

#[test]
fn the_env_file_is_read_and_the_real_environment_wins() {
    let place = Place::new();
    let file = "APP_PORT=1\nSANDBOX_PORT=none # a comment\n";
    std::fs::write(place.folder().join(".env"), file).unwrap();
    let problem = failure(place.run().env_remove("SANDBOX_PORT"));
    assert!(
        problem.starts_with("error: SANDBOX_PORT must be"),
        "{problem}"
    );
    place.start(&mut place.run()).end(Signal::TERM);
}
