//! Somebody who is signed in.

use api::access::SessionTokens;
use chrono::TimeDelta;
use common::db::access_changes;
use common::db::sessions::{self, NewSession, Session};
use common::db::users::User;
use common::ids::TenantId;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use uuid::Uuid;

use super::{Answer, TestApp};

/// A person with a session.
pub(crate) struct Person<'a> {
    pub(crate) app: &'a TestApp,
    pub(crate) user: User,
    pub(crate) session: Session,
    pub(crate) tokens: SessionTokens,
}

impl<'a> Person<'a> {
    /// Signs somebody in without a password.
    pub(crate) async fn sign_in(app: &'a TestApp, user: User) -> Self {
        let now = app.clock().now();
        let session = NewSession {
            tenant_id: user.tenant_id,
            user_id: user.id,
            nonce: Uuid::new_v4(),
            rotated_at: now,
            expires_at: now + TimeDelta::days(14),
            created_at: now,
        };
        let mut conn = app.conn().await;
        let session = sessions::insert(&mut conn, &session).await.unwrap();
        let secret = &app.state.config.access.auth_token_secret;
        let tokens = SessionTokens::of(&app.state.tokens, secret, &session, &user).unwrap();
        Self {
            app,
            user,
            session,
            tokens,
        }
    }

    pub(crate) fn tenant(&self) -> TenantId {
        self.user.tenant_id
    }

    /// A request with their token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.app.http.request(method, self.app.url(path));
        request.bearer_auth(&self.tokens.access_token)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(body)).await
    }

    /// POST without a body.
    pub(crate) async fn call(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::POST, path)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::PATCH, path).json(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::PUT, path).json(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path)).await
    }

    /// Ends the session as an admin would from another process.
    pub(crate) async fn is_shut_out(&self) {
        let mut conn = self.app.conn().await;
        let now = self.app.clock().now();
        sessions::revoke(&mut conn, self.tenant(), self.session.id, now)
            .await
            .unwrap();
        access_changes::insert(&mut conn, self.tenant(), self.user.id)
            .await
            .unwrap();
    }
}
