//! Which encryption keys are in use, as an operator sees it.

use api::seed_demo::seed_demo;
use api::show_keys;
use common::secrets::Keyring;

use crate::support::TestApp;

const NEW: &str = "ICECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OLD: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// The uses of keys and the shops that need them.
async fn shown(app: &TestApp, keyring: Keyring) -> String {
    let mut config = app.state.config.clone();
    config.keyring = keyring;
    let mut out = Vec::new();
    show_keys(&config, &mut out).await.unwrap();
    let out = String::from_utf8(out).unwrap();
    assert!(!out.contains(NEW) && !out.contains(OLD), "{out}");
    let lines = out.lines().map(|line| {
        let (_, rest) = line.split_at(10);
        rest.to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn every_key_stands_there_with_its_use_and_its_shops() {
    let app = TestApp::start().await;
    let sandbox = app.sandbox.url().to_owned();
    seed_demo(app.state.config.clone(), &sandbox).await.unwrap();
    let ring = |current, old: &[&str]| {
        let old: Vec<_> = old.iter().map(|key| (*key).to_owned()).collect();
        Keyring::new(current, &old).unwrap()
    };
    let head = "used as  shops";
    assert_eq!(
        shown(&app, ring(NEW, &[OLD])).await,
        format!("{head}\ncurrent  0\nold      6")
    );
    assert_eq!(
        shown(&app, ring(OLD, &[]).with_next(NEW).unwrap()).await,
        format!("{head}\ncurrent  6\nnext     0")
    );
    assert_eq!(
        shown(&app, ring(NEW, &[])).await,
        format!("{head}\ncurrent  0\nmissing  6")
    );
}
