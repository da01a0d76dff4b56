//! Does the control API do what its contract says?

use std::collections::HashSet;
use std::time::Duration;

use reqwest::Response;
use sandbox::Marketplace::{self, Ozon, Wildberries, YandexMarket};
use sandbox::{Options, Sandbox, SeedRequest};
use serde_json::{Value, json};

use crate::client::{Seller, http, quiet_world};

async fn post(world: &Sandbox, path: &str, body: &Value) -> (u16, Value) {
    let request = http()
        .post(format!("{}/control{path}", world.url()))
        .body(body.to_string());
    read(request.send().await.expect("an answer")).await
}

async fn get(world: &Sandbox, path: &str) -> Value {
    let request = http().get(format!("{}/control{path}", world.url()));
    read(request.send().await.expect("an answer")).await.1
}

async fn read(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("a body");
    (
        status,
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status} {text}")),
    )
}

#[tokio::test]
async fn a_buyer_writes_to_demo_unless_told_otherwise() {
    let world = quiet_world().await;
    for market in Marketplace::ALL {
        let shop = Seller::of(&world, market, "demo");
        let (status, written) = post(
            &world,
            "/buyers/write",
            &json!({"marketplace": market, "text": "a"}),
        )
        .await;
        assert_eq!(
            (status, &written["seller"]),
            (200, &json!(shop.id())),
            "{written}"
        );
        let keys: HashSet<&str> = written
            .as_object()
            .expect("an object")
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(
            keys,
            HashSet::from(["marketplace", "seller", "chat", "message"])
        );
        let again = json!({"marketplace": market, "chat": written["chat"], "text": "b"});
        let (_, second) = post(&world, "/buyers/write", &again).await;
        assert_eq!(
            (&second["chat"], &second["seller"]),
            (&written["chat"], &written["seller"])
        );
        assert_ne!(second["message"], written["message"]);
        assert!(second["message"].is_string() && second["chat"].is_string());
        let acme = Seller::of(&world, market, "acme");
        let named = json!({"marketplace": market, "seller": acme.id(), "text": "c"});
        assert_eq!(
            post(&world, "/buyers/write", &named).await.1["seller"],
            acme.id()
        );
        for wrong in [
            json!({"marketplace": market, "seller": "nobody", "text": "a"}),
            json!({"marketplace": market, "chat": "nowhere", "text": "a"}),
            json!({"marketplace": market, "seller": acme.id(), "chat": written["chat"], "text": "a"}),
        ] {
            assert_eq!(
                post(&world, "/buyers/write", &wrong).await.0,
                404,
                "{wrong}"
            );
        }
    }
    for wrong in [
        json!({"text": "a"}),
        json!({"marketplace": "ozon"}),
        json!({"marketplace": "x", "text": "a"}),
        json!([]),
    ] {
        let (status, body) = post(&world, "/buyers/write", &wrong).await;
        assert!(status == 400 && body["error"].is_string(), "{wrong}");
    }
}

#[tokio::test]
async fn the_journal_tells_what_was_written_served_and_received() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    let written = world.write_as_buyer(Ozon, None, "Привет").expect("written");
    world
        .write_in_cabinet(Ozon, &written.chat, "x")
        .expect("written");
    shop.post("/v3/chat/history", json!({"chat_id": written.chat}))
        .await
        .expect(200);
    shop.post("/v3/chat/history", json!({"chat_id": written.chat}))
        .await
        .expect(200);
    shop.post(
        "/v1/chat/send/message",
        json!({"chat_id": written.chat, "text": "ответ"}),
    )
    .await
    .expect(200);
    let entries = get(&world, "/journal?after=0").await["entries"]
        .as_array()
        .expect("entries")
        .clone();
    let kinds: Vec<&str> = entries
        .iter()
        .filter_map(|entry| entry["kind"].as_str())
        .collect();
    // the request, its two messages once, the request again, the send
    assert_eq!(
        kinds,
        [
            "written", "served", "served", "served", "served", "received"
        ]
    );
    let first = &entries[0];
    assert_eq!(first["message"], json!(written.message));
    assert_eq!(
        (&first["text"], &first["status"]),
        (&json!("Привет"), &Value::Null)
    );
    let keys: HashSet<&str> = first
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    let expected = [
        "seq",
        "at",
        "kind",
        "marketplace",
        "seller",
        "chat",
        "message",
        "text",
        "path",
        "status",
    ];
    assert_eq!(keys, HashSet::from(expected));
    assert!(
        entries
            .windows(2)
            .all(|pair| pair[0]["seq"].as_u64() < pair[1]["seq"].as_u64())
    );
    let after = get(&world, &format!("/journal?after={}", entries[3]["seq"])).await;
    assert_eq!(after["entries"], json!(entries[4..]));
    assert_eq!(
        (&entries[5]["chat"], &entries[5]["status"]),
        (&json!(written.chat), &json!(200))
    );
    let dump = json!(entries).to_string();
    assert!(!dump.contains(shop.key()), "no credentials");
}

#[tokio::test]
async fn the_state_shows_shops_with_credentials() {
    let world = quiet_world().await;
    let state = get(&world, "/state").await;
    let shops = state["shops"].as_array().expect("shops");
    for market in Marketplace::ALL {
        for tenant in ["demo", "acme"] {
            let mut found = shops.iter().filter(|shop| {
                shop["marketplace"] == json!(market) && shop["connected_to"] == tenant
            });
            let shop = found.next().expect("a shop");
            assert!(found.next().is_none());
            assert!(shop["credentials"]["api_key"].is_string() && shop["premium"] == true);
            let client_id = &shop["credentials"]["client_id"];
            assert_eq!(client_id.is_null(), market == Wildberries);
            assert!(client_id.is_null() || client_id == &shop["seller"]);
        }
    }
    let spare = shops
        .iter()
        .find(|shop| shop["credentials"]["client_id"] == "your-client-id");
    let spare = spare.expect("the spare shop");
    assert_eq!(
        (&spare["credentials"]["api_key"], &spare["connected_to"]),
        (&json!("your-api-key"), &Value::Null)
    );
    let spare = Seller::with(&world, Ozon, spare.clone());
    spare.post("/v1/roles", json!({})).await.expect(200);
}

#[tokio::test]
async fn a_shop_is_opened_and_changed_by_one_call() {
    let world = quiet_world().await;
    let open = json!({"marketplace": "ozon", "client_id": 77, "api_key": "k", "name": "Новый"});
    let (status, shop) = post(&world, "/shops", &open).await;
    assert_eq!(
        (status, &shop["name"], &shop["premium"]),
        (201, &json!("Новый"), &json!(true))
    );
    let (status, shop) = post(
        &world,
        "/shops",
        &json!({"marketplace": "ozon", "seller": "77", "premium": false}),
    )
    .await;
    assert_eq!(
        (status, &shop["name"], &shop["premium"]),
        (200, &json!("Новый"), &json!(false))
    );
    let seller = Seller::with(&world, Ozon, shop);
    seller.post("/v1/roles", json!({})).await.expect(200);
    for market in [Wildberries, YandexMarket] {
        let (status, shop) = post(&world, "/shops", &json!({"marketplace": market})).await;
        assert_eq!(status, 201, "{shop}");
        let seller = Seller::with(&world, market, shop);
        match market {
            Wildberries => seller.get("/ping").await.expect(200),
            _ => seller.business("/chats", json!({})).await.expect(200),
        };
    }
    for wrong in [
        json!({}),
        json!({"marketplace": "wildberries", "api_key": "no token"}),
        json!({"marketplace": "ozon", "quirks": ["x"]}),
    ] {
        assert_eq!(post(&world, "/shops", &wrong).await.0, 400, "{wrong}");
    }
    let two = world.write_as_buyer(Ozon, None, "a").expect("written");
    assert_ne!(two.seller, "77", "demo's shop stays the default");
}

#[tokio::test]
async fn load_is_added_with_credentials_that_work() {
    let world = quiet_world().await;
    let request = SeedRequest {
        shops: 6,
        chats: 3,
        messages: 4,
        seed: 9,
        marketplace: None,
    };
    let added = world.seed(&request).expect("seeded");
    let shops = added["shops"].as_array().expect("shops");
    assert_eq!(shops.len(), 6);
    for shop in shops {
        let market: Marketplace =
            serde_json::from_value(shop["marketplace"].clone()).expect("a marketplace");
        let seller = Seller::with(&world, market, shop.clone());
        match market {
            Ozon => {
                let list = seller
                    .post("/v3/chat/list", json!({"limit": 10}))
                    .await
                    .expect(200)
                    .json;
                assert_eq!(list["chats"].as_array().map(Vec::len), Some(3));
                let id = &list["chats"][0]["chat"]["chat_id"];
                let history = seller
                    .post("/v3/chat/history", json!({"chat_id": id}))
                    .await
                    .expect(200)
                    .json;
                assert_eq!(history["messages"].as_array().map(Vec::len), Some(4));
                assert_eq!(history["messages"][0]["user"]["type"], "Customer");
            }
            Wildberries => {
                let events = seller.get("/api/v1/seller/events").await.expect(200).json;
                assert_eq!(events["result"]["totalEvents"], 12);
            }
            YandexMarket => {
                let list = seller.business("/chats", json!({})).await.expect(200).json;
                assert_eq!(list["result"]["chats"].as_array().map(Vec::len), Some(3));
            }
        }
    }
    let (status, _) = post(&world, "/seed", &json!({"shops": 1_000_000, "chats": 100})).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn the_clock_moves_forward_only() {
    let world = quiet_world().await;
    let before = get(&world, "/state").await["now"]
        .as_str()
        .expect("a time")
        .to_owned();
    let (_, moved) = post(&world, "/clock", &json!({"advance_ms": 86_400_000})).await;
    let day = |time: &str| {
        time.parse::<chrono::DateTime<chrono::Utc>>()
            .expect("a time")
    };
    let now = moved["now"].as_str().expect("a time");
    let passed = day(now) - day(&before);
    assert!((86_400..86_410).contains(&passed.num_seconds()), "{passed}");
    assert_eq!(
        post(&world, "/clock", &json!({"advance_ms": -1})).await.0,
        400
    );
}

#[tokio::test]
async fn automatic_buyers_write_to_demo_and_react_only_in_their_own_chats() {
    let world = quiet_world().await;
    let ours = world.write_as_buyer(Ozon, None, "a").expect("written").chat;
    assert_eq!(
        post(&world, "/buyers", &json!({"per_minute": 6000}))
            .await
            .0,
        200
    );
    let mut theirs = None;
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let state = world.state();
        let mut chats = state["chats"].as_array().expect("chats").iter();
        theirs = chats
            .find(|chat| chat["persona"] == "where is my parcel")
            .cloned();
        if theirs.is_some() {
            break;
        }
    }
    let theirs = theirs.expect("a chat");
    // few enough that only reactions come now
    post(&world, "/buyers", &json!({"per_minute": 0.0001})).await;
    let demo = world.state();
    let sellers: HashSet<&str> = demo["chats"]
        .as_array()
        .expect("chats")
        .iter()
        .filter_map(|chat| chat["seller"].as_str())
        .collect();
    let is_demo = |shop: &&Value| shop["connected_to"] == "demo";
    let allowed: HashSet<&str> = demo["shops"]
        .as_array()
        .expect("shops")
        .iter()
        .filter(is_demo)
        .filter_map(|shop| shop["seller"].as_str())
        .collect();
    assert!(sellers.is_subset(&allowed));
    let market: Marketplace =
        serde_json::from_value(theirs["marketplace"].clone()).expect("a marketplace");
    let chat = theirs["chat"].as_str().expect("a chat");
    world
        .write_in_cabinet(market, chat, "Ответ")
        .expect("written");
    world
        .write_in_cabinet(Ozon, &ours, "Ответ")
        .expect("written");
    world.advance(Duration::from_secs(120)).expect("moved");
    let reacted = async || {
        for _ in 0..50 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let all = world.messages(market, chat).expect("a chat");
            if all.len() == 3 {
                return true;
            }
        }
        false
    };
    assert!(reacted().await);
    assert_eq!(world.messages(Ozon, &ours).map(|all| all.len()), Some(2));
    assert_eq!(
        post(&world, "/buyers", &json!({"per_minute": -1})).await.0,
        400
    );
}

#[tokio::test]
async fn the_page_escapes_what_buyers_write() {
    let world = Sandbox::start(Options::default()).await.expect("a world");
    let evil = "<script>alert(1)</script>";
    let chat = world
        .write_as_buyer(Ozon, None, evil)
        .expect("written")
        .chat;
    let page = async |path: &str| {
        let answer = http()
            .get(format!("{}{path}", world.url()))
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 200);
        answer.text().await.expect("a page")
    };
    for path in ["/".to_owned(), format!("/?marketplace=ozon&chat={chat}")] {
        let page = page(&path).await;
        assert!(
            page.contains("&lt;script&gt;alert(1)") && !page.contains("<script"),
            "{path}"
        );
    }
    let form = [
        ("marketplace", "ozon"),
        ("seller", ""),
        ("chat", chat.as_str()),
        ("text", "из формы"),
    ];
    let sent = http()
        .post(format!("{}/write", world.url()))
        .form(&form)
        .send()
        .await
        .expect("an answer");
    assert!(sent.text().await.expect("a page").contains("из формы"));
}
