//! Does the world continue after a kill, with nothing lost and no id twice?

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::StreamExt;
use sandbox::Marketplace::{Ozon, Wildberries};
use sandbox::{FaultRequest, Options, Sandbox, ShopRequest};
use serde_json::{Value, json};

use crate::client::{Seller, http};

pub(crate) fn folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("sandbox-{}-{count}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

pub(crate) async fn start(folder: &Path) -> Sandbox {
    let options = Options {
        state_dir: Some(folder.to_owned()),
        ..Options::default()
    };
    Sandbox::start(options).await.expect("a world")
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let folder = folder();
    let world = start(&folder).await;
    let shop = Seller::of(&world, Ozon, "demo");
    let chat = world.write_as_buyer(Ozon, None, "a").expect("written").chat;
    shop.post(
        "/v1/chat/send/message",
        json!({"chat_id": chat, "text": "b"}),
    )
    .await
    .expect(200);
    shop.post("/v2/chat/read", json!({"chat_id": chat}))
        .await
        .expect(200);
    world.advance(Duration::from_secs(3600)).expect("moved");
    let request = ShopRequest {
        marketplace: Some(Ozon),
        seller: Some(shop.id().to_owned()),
        premium: Some(false),
        ..Default::default()
    };
    world.shop(request).await.expect("changed");
    world
        .fault(FaultRequest {
            target: Some("ozon".into()),
            kind: "latency".into(),
            value: Some(5),
            ..Default::default()
        })
        .expect("a fault");
    world.set_buyers(0.0).expect("set");
    let wb = Seller::of(&world, Wildberries, "demo");
    let wb_chat = world
        .write_as_buyer(Wildberries, None, "a")
        .expect("written")
        .chat;
    let sign = wb.sign(&wb_chat).await;
    let mut before = world.state();
    let journal = world.journal(0);
    world.stop().await;

    let world = start(&folder).await;
    let mut after = world.state();
    for state in [&mut before, &mut after] {
        state.as_object_mut().expect("a state").remove("now");
    }
    assert_eq!(before, after);
    assert_eq!(world.journal(0), journal);
    let wb = Seller::of(&world, Wildberries, "demo");
    assert_eq!(wb.sign(&wb_chat).await, sign);
    let next = world
        .write_as_buyer(Ozon, Some(&chat), "c")
        .expect("written")
        .message;
    let stored = world.messages(Ozon, &chat).expect("a chat");
    assert!(
        stored[..2]
            .iter()
            .all(|old| old.message < next && old.at < stored[2].at)
    );
    let old: HashSet<_> = journal
        .iter()
        .filter_map(|entry| entry.message.clone())
        .collect();
    assert!(!old.contains(&next));
    world.stop().await;
    std::fs::remove_dir_all(folder).expect("removed");
}

#[tokio::test]
async fn a_torn_last_line_is_dropped_and_damage_before_it_is_not() {
    let folder = folder();
    let world = start(&folder).await;
    let chat = world
        .write_as_buyer(Ozon, None, "kept")
        .expect("written")
        .chat;
    world.stop().await;
    let path = folder.join("world.jsonl");
    let whole = std::fs::metadata(&path).expect("a file").len();
    let torn = b"[{\"change\":\"message\",\"of\":[0,{\"num";
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .expect("a file");
    file.write_all(torn).expect("written");
    let world = start(&folder).await;
    let after = world
        .write_as_buyer(Ozon, Some(&chat), "after")
        .expect("written");
    world.stop().await;
    let world = start(&folder).await;
    let stored = world.messages(Ozon, &chat).expect("a chat");
    assert_eq!((stored.len(), &stored[1].message), (2, &after.message));
    world.stop().await;

    let mut content = std::fs::read(&path).expect("a file");
    content[usize::try_from(whole).expect("a size") / 2] = b'\n';
    std::fs::write(&path, content).expect("written");
    let options = Options {
        state_dir: Some(folder.clone()),
        ..Options::default()
    };
    let error = Sandbox::start(options).await.expect_err("damage");
    assert!(error.to_string().contains("damaged"), "{error}");
    std::fs::remove_dir_all(folder).expect("removed");
}

#[tokio::test]
async fn two_processes_do_not_share_a_folder() {
    let folder = folder();
    let world = start(&folder).await;
    let options = Options {
        state_dir: Some(folder.clone()),
        ..Options::default()
    };
    let error = Sandbox::start(options).await.expect_err("in use");
    assert!(error.to_string().contains("in use"), "{error}");
    world.stop().await;
    std::fs::remove_dir_all(folder).expect("removed");
}

#[tokio::test]
async fn a_killed_process_has_kept_all_it_answered() {
    let folder = folder();
    let (mut process, url) = spawn(&folder);
    let client = http();
    let count = &AtomicU32::new(0);
    let write = |at: usize, url: String| {
        let body = json!({"marketplace": "ozon", "text": format!("№{at}")}).to_string();
        let sending = client
            .post(format!("{url}/control/buyers/write"))
            .body(body)
            .send();
        async move {
            let text = sending.await.ok()?.text().await.ok()?;
            count.fetch_add(1, Ordering::Relaxed);
            serde_json::from_str::<Value>(&text).ok()
        }
    };
    // the kill falls into the middle of many writes
    let kill = async {
        while count.load(Ordering::Relaxed) < 40 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        process.kill().expect("killed");
        process.wait().expect("ended");
    };
    let writers = futures::stream::iter(0..5000)
        .map(|at| write(at, url.clone()))
        .buffered(20);
    let (writers, ()) = futures::join!(writers.collect::<Vec<_>>(), kill);
    assert!(writers.iter().any(Option::is_none), "some were cut off");
    let answered: Vec<Value> = writers.into_iter().flatten().collect();
    assert!(answered.len() >= 40);

    let (mut process, url) = spawn(&folder);
    let journal = http()
        .get(format!("{url}/control/journal"))
        .send()
        .await
        .expect("an answer");
    let journal: Value = journal.json().await.expect("a journal");
    let kept: HashSet<&str> = journal["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .filter_map(|entry| entry["message"].as_str())
        .collect();
    for written in &answered {
        assert!(
            kept.contains(written["message"].as_str().expect("an id")),
            "{written}"
        );
    }
    let next = write(1000, url).await.expect("an answer");
    assert!(!kept.contains(next["message"].as_str().expect("an id")));
    process.kill().expect("killed");
    process.wait().expect("ended");
    std::fs::remove_dir_all(folder).expect("removed");
}

pub(crate) fn spawn(folder: &Path) -> (Child, String) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_sandbox"))
        .args(["--port", "0", "--buyers-per-minute", "0", "--state-dir"])
        .arg(folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process");
    let output = BufReader::new(process.stdout.take().expect("its output"));
    let line = output
        .lines()
        .map_while(Result::ok)
        .find(|line| line.contains("address"));
    let line: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
    let address = line["fields"]["address"]
        .as_str()
        .expect("an address")
        .to_owned();
    (process, format!("http://{address}"))
}
