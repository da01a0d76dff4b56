//! The tables as diesel sees them; a test compares this file with the migrated database.

diesel::table! {
    access_changes (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Int8,
        user_id -> Int8,
        at -> Timestamptz,
    }
}

diesel::table! {
    api_tokens (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Int8,
        name -> Text,
        token_hash -> Text,
        scopes -> Array<Text>,
        created_by -> Int8,
        expires_at -> Nullable<Timestamptz>,
        last_used_at -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    audit_log (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Int8,
        actor_tenant_id -> Nullable<Uuid>,
        actor_user_id -> Nullable<Int8>,
        actor -> Text,
        action -> Text,
        target -> Text,
        ip -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        before -> Nullable<Jsonb>,
        after -> Nullable<Jsonb>,
        at -> Timestamptz,
    }
}

diesel::table! {
    business_hours (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Int8,
        name -> Text,
        spec -> Jsonb,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    canned_replies (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Int8,
        owner_id -> Nullable<Int8>,
        shortcut -> Text,
        title -> Text,
        text -> Text,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    chat_searches (tenant_id, chat_id) {
        tenant_id -> Uuid,
        chat_id -> Int8,
        text -> Text,
    }
}

diesel::table! {
    chat_starts (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Int8,
        seller_id -> Int8,
        channel -> Text,
        order_id -> Text,
        user_id -> Int8,
        state -> Text,
        chat_id -> Nullable<Int8>,
        error_code -> Nullable<Text>,
        error_message -> Nullable<Text>,
        due_at -> Timestamptz,
        failures -> Int4,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    chats (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Int8,
        public_id -> Uuid,
        channel -> Text,
        seller_id -> Int8,
        external_id -> Text,
        assigned_to -> Nullable<Int8>,
        status -> Text,
        unread_count -> Int4,
        last_message_preview -> Nullable<Text>,
        last_message_at -> Nullable<Timestamptz>,
        last_message_direction -> Nullable<Text>,
        queue_at -> Timestamptz,
        owed_since -> Nullable<Timestamptz>,
        last_buyer_at -> Nullable<Timestamptz>,
        last_buyer_message_id -> Nullable<Int8>,
        window_closes_at -> Nullable<Timestamptz>,
        deliver_at -> Nullable<Timestamptz>,
        lease_token -> Nullable<Uuid>,
        lease_until -> Nullable<Timestamptz>,
        context -> Jsonb,
        vendor_state -> Jsonb,
        version -> Int8,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        obligation -> Nullable<Jsonb>,
        at_risk_at -> Nullable<Timestamptz>,
        alarm_at -> Nullable<Timestamptz>,
        snoozed_until -> Nullable<Timestamptz>,
        tags -> Array<Text>,
        suggest_at -> Nullable<Timestamptz>,
        suggestion -> Nullable<Jsonb>,
    }
}

diesel::table! {
    files (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Int8,
        public_id -> Uuid,
        message_id -> Nullable<Int8>,
        position -> Int4,
        uploaded_by -> Nullable<Int8>,
        seller_id -> Nullable<Int8>,
        channel -> Nullable<Text>,
        source -> Nullable<Text>,
        name -> Text,
        content_type -> Nullable<Text>,
        size_bytes -> Nullable<Int8>,
        sha256 -> Nullable<Text>,
        storage_key -> Text,
        state -> Text,
        error -> Nullable<Text>,
        failures -> Int4,
        fetch_at -> Nullable<Timestamptz>,
        lease_token -> Nullable<Uuid>,
        lease_until -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    idempotency_keys (tenant_id, user_id, key) {
        tenant_id -> Uuid,
        user_id -> Int8,
        key -> Text,
        public_id -> Uuid,
        request_digest -> Text,
        sealed_answer -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    invites (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Int8,
        token_hash -> Text,
        role -> Text,
        email -> Nullable<Text>,
        username -> Nullable<Text>,
        invited_by -> Int8,
        expires_at -> Timestamptz,
        used_at -> Nullable<Timestamptz>,
        withdrawn_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    messages (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Int8,
        public_id -> Uuid,
        chat_id -> Int8,
        external_id -> Nullable<Text>,
        client_message_id -> Nullable<Text>,
        direction -> Text,
        author -> Text,
        user_id -> Nullable<Int8>,
        text -> Text,
        attachments -> Jsonb,
        state -> Text,
        error_code -> Nullable<Text>,
        error_message -> Nullable<Text>,
        attempts -> Int4,
        starts_clock -> Bool,
        send_before -> Nullable<Timestamptz>,
        settle_at -> Nullable<Timestamptz>,
        settle_reads -> Int4,
        at -> Timestamptz,
        sent_at -> Nullable<Timestamptz>,
        read_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        suggestion_id -> Nullable<Int8>,
    }
}

diesel::table! {
    notes (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Int8,
        chat_id -> Int8,
        user_id -> Int8,
        text -> Text,
        created_at -> Timestamptz,
        edited_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    obligations (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Int8,
        chat_id -> Int8,
        rule_id -> Nullable<Int8>,
        rule_name -> Nullable<Text>,
        started_at -> Timestamptz,
        due_at -> Timestamptz,
        warned_at -> Nullable<Timestamptz>,
        breached_at -> Nullable<Timestamptz>,
        breach_cause -> Nullable<Text>,
        ended_at -> Nullable<Timestamptz>,
        end_cause -> Nullable<Text>,
    }
}

diesel::table! {
    read_receipts (tenant_id, chat_id) {
        tenant_id -> Uuid,
        chat_id -> Int8,
        channel -> Text,
        up_to_external_id -> Text,
        due_at -> Timestamptz,
        failures -> Int4,
    }
}

diesel::table! {
    runtime_settings (key) {
        key -> Text,
        value -> Jsonb,
        updated_at -> Timestamptz,
        updated_by -> Text,
    }
}

diesel::table! {
    saved_views (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Int8,
        owner_id -> Nullable<Int8>,
        name -> Text,
        filter -> Jsonb,
        position -> Int4,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    sellers (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Int8,
        public_id -> Uuid,
        name -> Text,
        marketplace -> Text,
        account_id -> Text,
        client_id -> Nullable<Text>,
        sealed_key -> Text,
        key_fingerprint -> Text,
        capabilities -> Jsonb,
        warnings -> Jsonb,
        is_active -> Bool,
        next_sync_at -> Timestamptz,
        sync_started_at -> Nullable<Timestamptz>,
        woken_at -> Nullable<Timestamptz>,
        lease_token -> Nullable<Uuid>,
        lease_until -> Nullable<Timestamptz>,
        poll_interval_s -> Int4,
        blocked_until -> Nullable<Timestamptz>,
        vendor_cursor -> Jsonb,
        last_buyer_at -> Nullable<Timestamptz>,
        last_sync_at -> Nullable<Timestamptz>,
        sync_error -> Nullable<Text>,
        failures -> Int4,
        probe_at -> Timestamptz,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    send_attempts (tenant_id, message_id, no) {
        tenant_id -> Uuid,
        message_id -> Int8,
        no -> Int4,
        token -> Uuid,
        baseline_external_id -> Nullable<Text>,
        baseline_at -> Nullable<Timestamptz>,
        baseline_cursor -> Nullable<Text>,
        started_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
        outcome -> Nullable<Text>,
        reason -> Nullable<Text>,
        vendor_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    sessions (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Int8,
        user_id -> Int8,
        nonce -> Uuid,
        generation -> Int4,
        rotated_at -> Timestamptz,
        expires_at -> Timestamptz,
        revoked_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    sla_rules (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Int8,
        name -> Text,
        priority -> Int4,
        is_active -> Bool,
        marketplace -> Nullable<Text>,
        seller_id -> Nullable<Int8>,
        intent -> Nullable<Text>,
        keyword -> Nullable<Text>,
        chat_type -> Nullable<Text>,
        matches_everything -> Bool,
        answer_within_s -> Int4,
        at_risk_s -> Nullable<Int4>,
        business_hours_id -> Nullable<Int8>,
        source -> Text,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    suggestions (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Int8,
        chat_id -> Int8,
        for_message_id -> Int8,
        state -> Text,
        text -> Text,
        intent -> Nullable<Text>,
        sentiment -> Nullable<Text>,
        urgency -> Nullable<Text>,
        needs_human -> Bool,
        reason -> Nullable<Text>,
        checks -> Jsonb,
        sources -> Jsonb,
        provider -> Text,
        model -> Text,
        prompt_version -> Text,
        usage -> Nullable<Jsonb>,
        latency_ms -> Int4,
        outcome_kind -> Nullable<Text>,
        outcome_by -> Nullable<Int8>,
        outcome_at -> Nullable<Timestamptz>,
        outcome_reason -> Nullable<Text>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    tenants (id) {
        id -> Uuid,
        slug -> Text,
        name -> Text,
        settings -> Jsonb,
        blocked_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    users (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Int8,
        public_id -> Uuid,
        email -> Nullable<Text>,
        username -> Text,
        password_hash -> Text,
        role -> Text,
        confirmed_at -> Nullable<Timestamptz>,
        is_active -> Bool,
        last_login_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    access_changes,
    api_tokens,
    audit_log,
    business_hours,
    canned_replies,
    chat_searches,
    chat_starts,
    chats,
    files,
    idempotency_keys,
    invites,
    messages,
    notes,
    obligations,
    read_receipts,
    saved_views,
    sellers,
    send_attempts,
    sessions,
    sla_rules,
    suggestions,
    tenants,
    users,
);
