//! Files of messages: uploaded, and handed out to those who answer buyers.

use chrono::TimeDelta;
use common::channel::Marketplace;
use common::db::chats::Chat;
use common::db::files::{self, File, FileState};
use common::db::users::Role;
use common::flows::purge_files::purge_files;
use diesel_async::RunQueryDsl;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, Person, TestApp};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR and more";

fn form(name: &str, content: &[u8]) -> Form {
    let part = Part::bytes(content.to_vec()).file_name(name.to_owned());
    Form::new().part("file", part)
}

async fn upload(person: &Person<'_>, form: Form) -> Answer {
    let request = person.request(Method::POST, "/api/files");
    Answer::of(request.multipart(form)).await
}

async fn stored(person: &Person<'_>, answer: &Answer) -> Option<File> {
    let id = answer.body["file_id"].as_str().unwrap();
    let id: Uuid = id.parse().unwrap();
    let mut conn = person.app.conn().await;
    files::find_by_public_id(&mut conn, person.tenant(), id)
        .await
        .unwrap()
}

/// Changes files behind everybody's back.
async fn set(person: &Person<'_>, change: &str, only: &str) {
    let sql = format!("UPDATE files SET {change} WHERE tenant_id = $1 {only}");
    let mut conn = person.app.conn().await;
    diesel::sql_query(sql)
        .bind::<diesel::sql_types::Uuid, _>(person.tenant())
        .execute(&mut conn)
        .await
        .unwrap();
}

/// Files in the store's folder, finished or not.
fn in_the_folder(app: &TestApp) -> usize {
    let tenants = std::fs::read_dir(app.folder.path()).unwrap();
    tenants
        .map(|tenant| std::fs::read_dir(tenant.unwrap().path()).unwrap().count())
        .sum()
}

#[tokio::test]
async fn an_uploaded_file_comes_back_as_a_download() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let uploaded = upload(&anna, form("Фото 1.png", PNG)).await;
    let file = uploaded.expect(201);
    assert_eq!(file["name"], "Фото 1.png");
    assert_eq!(file["content_type"], "image/png");
    assert_eq!(file["size_bytes"], PNG.len());
    assert_eq!(file["state"], "ready");
    let path = format!("/api/files/{}", file["file_id"].as_str().unwrap());
    assert_eq!(uploaded.header("location"), path);
    let request = app.agent("boris").await.request(Method::GET, &path);
    let response = request.send().await.unwrap();
    let headers = response.headers().clone();
    assert_eq!(response.bytes().await.unwrap(), PNG);
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "image/png");
    assert_eq!(header("content-length"), PNG.len().to_string());
    assert_eq!(
        header("content-disposition"),
        "attachment; filename=\"____ 1.png\"; filename*=UTF-8''%D0%A4%D0%BE%D1%82%D0%BE%201.png"
    );
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert!(header("content-security-policy").starts_with("sandbox"));
    assert!(header("cache-control").contains("no-store"));
}

#[tokio::test]
async fn what_a_file_calls_itself_is_not_believed() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let html = b"<!DOCTYPE html><script>alert(1)</script>";
    for (name, expected) in [
        ("../../etc/passwd", "passwd.txt"),
        ("..\\boot.png", "boot.png"),
        ("a\u{202e}gnp.exe", "agnp.exe"),
        ("", "file.txt"),
    ] {
        let part = Part::bytes(html.to_vec()).file_name(name.to_owned());
        let part = part.mime_str("image/png").unwrap();
        let uploaded = upload(&anna, Form::new().part("file", part)).await;
        assert_eq!(uploaded.expect(201)["name"], expected);
        assert_eq!(uploaded.body["content_type"], "text/plain");
        let path = format!("/api/files/{}", uploaded.body["file_id"].as_str().unwrap());
        let got = anna.get(&path).await;
        got.expect(200);
        assert_eq!(got.header("content-type"), "text/plain");
    }
}

#[tokio::test]
async fn a_line_break_in_a_name_ends_no_header() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let body = "--b\r\ncontent-disposition: form-data; name=\"file\"; \
        filename*=UTF-8''a%0d%0aset-cookie%3a%20x%3d1.txt\r\n\r\nhello\r\n--b--\r\n";
    let request = anna.request(Method::POST, "/api/files");
    let request = request.header("content-type", "multipart/form-data; boundary=b");
    let uploaded = Answer::of(request.body(body)).await;
    let id = uploaded.expect(201)["file_id"].as_str().unwrap();
    let got = anna.get(&format!("/api/files/{id}")).await;
    assert_eq!(got.text, "hello");
    assert!(!got.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn a_form_without_exactly_one_file_is_refused() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    upload(&anna, Form::new()).await.expect(400);
    upload(&anna, form("a.png", b"")).await.expect_field("file");
    let other = Form::new().part("photo", Part::bytes(PNG.to_vec()));
    upload(&anna, other).await.expect_field("photo");
    let two = form("a.png", PNG).part("file", Part::bytes(PNG.to_vec()));
    upload(&anna, two).await.expect_field("file");
    let json = anna.post("/api/files", &json!({})).await;
    json.expect_error(415, "unsupported_media_type");
}

#[tokio::test]
async fn more_than_30_mib_are_not_taken() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let most = vec![7; 30 << 20];
    let uploaded = upload(&anna, form("a.bin", &most)).await;
    assert_eq!(uploaded.expect(201)["size_bytes"], 30 << 20);
    let before = in_the_folder(&app);
    for more in [1, 1 << 20] {
        let large = vec![7; (30 << 20) + more];
        let refused = upload(&anna, form("a.bin", &large)).await;
        refused.expect_error(413, "file_too_large");
    }
    assert_eq!(in_the_folder(&app), before, "nothing of them is left");
}

#[tokio::test]
async fn files_are_for_staff_of_their_tenant() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let uploaded = upload(&anna, form("a.png", PNG)).await;
    let path = format!("/api/files/{}", uploaded.body["file_id"].as_str().unwrap());
    let eve = app.person("acme", "eve", Role::Owner).await;
    eve.get(&path).await.expect_error(404, "file_not_found");
    let max = app.person("demo", "max", Role::Member).await;
    max.get(&path).await.expect_error(403, "forbidden");
    upload(&max, form("a.png", PNG))
        .await
        .expect_error(403, "forbidden");
    let nobody = app.http.post(app.url("/api/files"));
    let nobody = Answer::of(nobody.multipart(form("a.png", PNG))).await;
    nobody.expect_error(401, "unauthorized");
    assert_eq!(in_the_folder(&app), 1);
}

#[tokio::test]
async fn a_file_that_is_not_here_says_why() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let chat = app.chat_with_file(&shop, "a.png").await;
    let thread = anna.get(&format!("/api/messages/chat/{}", chat.id)).await;
    let shown = thread.expect(200)["messages"][0]["attachments"][0].clone();
    assert_eq!(shown["state"], "pending");
    assert_eq!(shown["name"], "a.png");
    let path = format!("/api/files/{}", shown["file_id"].as_str().unwrap());
    anna.get(&path).await.expect_error(409, "file_not_ready");
    for (state, error, code) in [
        ("moderation", "NULL", "file_not_ready"),
        ("blocked", "'moderation error'", "file_unavailable"),
        ("failed", "'not found'", "file_unavailable"),
        // Its bytes were never written.
        ("ready", "NULL", "file_unavailable"),
    ] {
        set(&anna, &format!("state = '{state}', error = {error}"), "").await;
        anna.get(&path).await.expect_error(409, code);
    }
}

#[tokio::test]
async fn an_upload_that_nobody_sends_is_removed_after_a_day() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let old = upload(&anna, form("old.png", PNG)).await;
    // The process died after the bytes and before what they say, or before the bytes.
    let half = upload(&anna, form("half.png", PNG)).await;
    let bare = upload(&anna, form("bare.png", PNG)).await;
    set(&anna, "state = 'pending'", "AND name <> 'old.png'").await;
    let key = stored(&anna, &bare).await.unwrap().storage_key;
    app.state.ctx.files.delete(&key).await.unwrap();
    app.advance(TimeDelta::hours(23));
    let boris = app.agent("boris").await;
    let fresh = upload(&boris, form("fresh.png", PNG)).await;
    assert_eq!(purge_files(&app.state.ctx).await.unwrap(), 0);
    app.advance(TimeDelta::hours(1));
    assert_eq!(purge_files(&app.state.ctx).await.unwrap(), 3);
    assert_eq!(purge_files(&app.state.ctx).await.unwrap(), 0, "run twice");
    for gone in [&old, &half, &bare] {
        assert!(stored(&anna, gone).await.is_none());
    }
    let kept = stored(&anna, &fresh).await.unwrap();
    assert_eq!(kept.state, FileState::Ready);
    assert_eq!(in_the_folder(&app), 1);
}

#[tokio::test]
async fn a_store_that_is_away_is_told_as_such() {
    let nowhere = tempfile::NamedTempFile::new().unwrap();
    let folder = format!("{}/files", nowhere.path().display());
    let app = TestApp::start_with(&[("FILES_DIR", &folder)]).await;
    let anna = app.agent("anna").await;
    let refused = upload(&anna, form("a.png", PNG)).await;
    refused.expect_error(503, "files_unavailable");
    anna.get("/api/chats").await.expect(200);
}

async fn id_of(person: &Person<'_>, name: &str, content: &[u8]) -> Value {
    let uploaded = upload(person, form(name, content)).await;
    uploaded.expect(201)["file_id"].clone()
}

async fn send(person: &Person<'_>, chat: &Chat, text: &str, files: &[&Value]) -> Answer {
    let body = json!({ "chat_id": chat.id, "text": text, "attachments": files });
    person.post("/api/messages", &body).await
}

#[tokio::test]
async fn an_uploaded_file_is_sent_once() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    for marketplace in Marketplace::ALL {
        let shop = app.shop(anna.tenant(), marketplace).await;
        let chat = app.chat_of(&shop, "Пришлите фото").await;
        let file = id_of(&anna, "a.png", PNG).await;
        let named = json!({
            "chat_id": chat.id, "attachments": [file], "client_message_id": "a-1"
        });
        let posted = anna.post("/api/messages", &named).await;
        let shown = &posted.expect(201)["attachments"][0];
        assert_eq!(shown["file_id"], file);
        assert_eq!(shown["state"], "ready");
        assert_eq!(posted.body["state"], "queued");
        assert_eq!(posted.body["text"], "");
        let again = anna.post("/api/messages", &named).await;
        assert_eq!(again.expect(200)["id"], posted.body["id"]);
        let mut other = named.clone();
        other["attachments"] = json!([id_of(&anna, "b.png", PNG).await]);
        let other = anna.post("/api/messages", &other).await;
        other.expect_error(409, "message_conflict");
        let twice = send(&anna, &chat, "", &[&file]).await;
        twice.expect_field("attachments[0]");
        let path = format!("/api/files/{}", file.as_str().unwrap());
        anna.get(&path).await.expect(200);
    }
    app.advance(TimeDelta::hours(25));
    // Only those that were never sent.
    assert_eq!(purge_files(&app.state.ctx).await.unwrap(), 3);
}

#[tokio::test]
async fn files_that_the_marketplace_would_refuse_are_refused_here() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let chat_at = async |marketplace| {
        let shop = app.shop(anna.tenant(), marketplace).await;
        app.chat_of(&shop, "Пришлите фото").await
    };
    let wildberries = chat_at(Marketplace::Wildberries).await;
    let html = id_of(&anna, "a.png", b"<!DOCTYPE html><p>hello").await;
    let refused = send(&anna, &wildberries, "", &[&html]).await;
    let error = refused.expect_error(422, "file_not_accepted");
    assert_eq!(error["details"][0]["field"], "attachments[0]");
    let mut large = PNG.to_vec();
    large.resize((5 << 20) + 1, 7);
    let large = id_of(&anna, "b.png", &large).await;
    let refused = send(&anna, &wildberries, "x", &[&large]).await;
    let error = refused.expect_error(422, "file_not_accepted");
    assert_eq!(error["details"][0]["limit"], 5 << 20);
    let yandex = chat_at(Marketplace::YandexMarket).await;
    let refused = send(&anna, &yandex, "", &[&large]).await;
    refused.expect_error(422, "file_not_accepted");
    let (one, two) = (
        id_of(&anna, "1.png", PNG).await,
        id_of(&anna, "2.png", PNG).await,
    );
    for marketplace in [Marketplace::Ozon, Marketplace::YandexMarket] {
        let chat = chat_at(marketplace).await;
        let both = send(&anna, &chat, "Вот", &[&one]).await;
        both.expect_field("attachments");
        let many = send(&anna, &chat, "", &[&one, &two]).await;
        many.expect_field("attachments");
        send(&anna, &chat, "", &[]).await.expect_field("text");
        let same = send(&anna, &chat, "", &[&one, &one]).await;
        same.expect_field("attachments");
    }
    let fits = send(&anna, &wildberries, "Вот", &[&one, &two]).await;
    assert_eq!(fits.expect(201)["attachments"][1]["file_id"], two);
}

#[tokio::test]
async fn foreign_and_missing_files_cannot_be_sent() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let eve = app.person("acme", "eve", Role::Owner).await;
    let shop = app.shop(anna.tenant(), Marketplace::Wildberries).await;
    let chat = app.chat_of(&shop, "Пришлите фото").await;
    let foreign = id_of(&eve, "a.png", PNG).await;
    let missing = json!(Uuid::new_v4());
    let with_file = app.chat_with_file(&shop, "a.png").await;
    let thread = anna
        .get(&format!("/api/messages/chat/{}", with_file.id))
        .await;
    let buyers = &thread.body["messages"][0]["attachments"][0]["file_id"];
    let mut answers = Vec::new();
    for file in [&foreign, &missing, buyers] {
        let refused = send(&anna, &chat, "x", &[file]).await;
        refused.expect_field("attachments[0]");
        answers.push(refused.body["error"]["details"].clone());
    }
    assert!(answers.iter().all(|it| *it == answers[0]));
    let untouched = app.chat(anna.tenant(), chat.id).await;
    assert_eq!(untouched.version, chat.version);
    let path = format!("/api/files/{}", foreign.as_str().unwrap());
    eve.get(&path).await.expect(200);
}
