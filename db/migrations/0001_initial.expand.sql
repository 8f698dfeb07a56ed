CREATE TABLE "app_secrets" (
	"name" text PRIMARY KEY NOT NULL,
	"value" text NOT NULL,
	"created_at" timestamp (0) with time zone NOT NULL
);

CREATE TABLE "audit_events" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "audit_events_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"event_name" varchar(120) NOT NULL,
	"request_id" varchar(160) NOT NULL,
	"outcome" varchar(16) NOT NULL,
	"occurred_at" timestamp with time zone DEFAULT now() NOT NULL,
	"user_id" bigint,
	"session_id" text,
	"org_id" text,
	"device_id" text,
	"attributes" jsonb DEFAULT '{}'::jsonb NOT NULL
);

CREATE TABLE "auth_challenges" (
	"id_hash" char(64) PRIMARY KEY NOT NULL,
	"email" varchar(255) NOT NULL,
	"provider_user_id" text NOT NULL,
	"code_hmac" char(64),
	"failures" integer DEFAULT 0 NOT NULL,
	"expires_at" timestamp (0) with time zone NOT NULL,
	"created_at" timestamp (0) with time zone NOT NULL
);

CREATE TABLE "auth_login_links" (
	"token_hash" char(64) PRIMARY KEY NOT NULL,
	"user_id" bigint,
	"email" varchar(255),
	"name" varchar(255),
	"is_admin" boolean DEFAULT false NOT NULL,
	"expires_at" timestamp (0) with time zone NOT NULL,
	"created_at" timestamp (0) with time zone NOT NULL
);

CREATE TABLE "auth_refresh_tokens" (
	"token_hash" char(64) PRIMARY KEY NOT NULL,
	"id" text NOT NULL,
	"session_id" text NOT NULL,
	"state" text NOT NULL,
	"lane" text NOT NULL,
	"created_at" timestamp (0) with time zone NOT NULL,
	"ended_at" timestamp (0) with time zone,
	"replaced_by" text,
	CONSTRAINT "auth_refresh_tokens_state" CHECK ("auth_refresh_tokens"."state" in ('active', 'rotated', 'session_revoked', 'replay_detected')),
	CONSTRAINT "auth_refresh_tokens_lane" CHECK ("auth_refresh_tokens"."lane" in ('bearer', 'cookie'))
);

CREATE TABLE "auth_sessions" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" bigint NOT NULL,
	"device_id" varchar(160) NOT NULL,
	"token_name" varchar(64) NOT NULL,
	"client" varchar(64),
	"active_org_id" text NOT NULL,
	"access_token_hash" char(64) NOT NULL,
	"access_expires_at" timestamp (0) with time zone NOT NULL,
	"refresh_token_id" text NOT NULL,
	"refresh_expires_at" timestamp (0) with time zone NOT NULL,
	"status" text NOT NULL,
	"reauth_required" boolean DEFAULT false NOT NULL,
	"issued_at" timestamp (0) with time zone NOT NULL,
	"last_refreshed_at" timestamp (0) with time zone,
	"last_used_at" timestamp (0) with time zone,
	"revoked_at" timestamp (0) with time zone,
	"revoked_reason" text,
	"ip_address" varchar(45),
	"user_agent" text,
	CONSTRAINT "auth_sessions_status" CHECK ("auth_sessions"."status" in ('active', 'reauth_required', 'expired', 'revoked'))
);

CREATE TABLE "codex_control_requests" (
	"worker_pk" uuid NOT NULL,
	"request_id" varchar(160) NOT NULL,
	"user_id" bigint NOT NULL,
	"method" varchar(32) NOT NULL,
	"params" jsonb NOT NULL,
	"fingerprint" char(64) NOT NULL,
	"envelope" jsonb NOT NULL,
	"state" varchar(16) NOT NULL,
	"thread_id" varchar(160),
	"turn_id" varchar(64),
	"message_id" varchar(64),
	"source" varchar(120),
	"request_version" varchar(32),
	"session_id" varchar(160),
	"request_seq" bigint,
	"receipt_seq" bigint,
	"sent_at" timestamp with time zone,
	"deadline_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"finished_at" timestamp with time zone,
	CONSTRAINT "codex_control_requests_worker_pk_request_id_pk" PRIMARY KEY("worker_pk","request_id")
);

CREATE TABLE "codex_items" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"thread_id" varchar(160) NOT NULL,
	"turn_id" varchar(64) NOT NULL,
	"item_id" varchar(128) NOT NULL,
	"position" integer NOT NULL,
	"type" varchar(40) NOT NULL,
	"status" varchar(16) NOT NULL,
	"text" text DEFAULT '' NOT NULL,
	"payload" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"started_at" timestamp with time zone,
	"completed_at" timestamp with time zone
);

CREATE TABLE "codex_server_requests" (
	"server_request_id" varchar(200) PRIMARY KEY NOT NULL,
	"worker_pk" uuid NOT NULL,
	"session_id" varchar(160) NOT NULL,
	"thread_id" varchar(160) NOT NULL,
	"turn_id" varchar(64),
	"item_id" varchar(128),
	"method" varchar(80) NOT NULL,
	"params" jsonb NOT NULL,
	"available_decisions" jsonb,
	"status" varchar(16) NOT NULL,
	"decision" jsonb,
	"requested_at" timestamp with time zone NOT NULL,
	"resolved_at" timestamp with time zone
);

CREATE TABLE "codex_thread_messages" (
	"message_id" varchar(64) PRIMARY KEY NOT NULL,
	"ordinal" bigserial NOT NULL,
	"thread_id" varchar(160) NOT NULL,
	"user_id" bigint NOT NULL,
	"role" varchar(16) NOT NULL,
	"text" text NOT NULL,
	"turn_id" varchar(64),
	"item_id" varchar(128),
	"request_id" varchar(160),
	"streaming" boolean DEFAULT false NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL
);

CREATE TABLE "codex_threads" (
	"thread_id" varchar(160) PRIMARY KEY NOT NULL,
	"user_id" bigint NOT NULL,
	"org_id" varchar(160) NOT NULL,
	"autopilot_id" varchar(36),
	"title" varchar(255),
	"worker_pk" uuid,
	"codex_thread_id" varchar(64),
	"codex_session_id" varchar(64),
	"status" varchar(24) DEFAULT 'idle' NOT NULL,
	"active_turn_id" varchar(64),
	"model" text,
	"model_provider" text,
	"cwd" text,
	"preview" text,
	"message_count" integer DEFAULT 0 NOT NULL,
	"last_message_at" timestamp with time zone,
	"token_usage" jsonb,
	"origin" varchar(16) DEFAULT 'openagents' NOT NULL,
	"archived_at" timestamp with time zone,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL
);

CREATE TABLE "codex_turns" (
	"id" varchar(64) PRIMARY KEY NOT NULL,
	"thread_id" varchar(160) NOT NULL,
	"codex_turn_id" varchar(64),
	"request_id" varchar(160),
	"status" varchar(16) NOT NULL,
	"model" text,
	"effort" text,
	"error" jsonb,
	"plan" jsonb,
	"token_usage" jsonb,
	"diff" text,
	"merged_into_turn_id" varchar(64),
	"interrupt_requested_at" timestamp with time zone,
	"started_at" timestamp with time zone,
	"completed_at" timestamp with time zone,
	"duration_ms" bigint,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL
);

CREATE TABLE "codex_worker_events" (
	"worker_pk" uuid NOT NULL,
	"seq" bigint NOT NULL,
	"event_type" varchar(160) NOT NULL,
	"event_id" varchar(160),
	"payload" jsonb NOT NULL,
	"occurred_at" timestamp with time zone NOT NULL,
	"recorded_at" timestamp with time zone NOT NULL,
	CONSTRAINT "codex_worker_events_worker_pk_seq_pk" PRIMARY KEY("worker_pk","seq")
);

CREATE TABLE "codex_workers" (
	"id" uuid PRIMARY KEY NOT NULL,
	"worker_id" varchar(160) NOT NULL,
	"owner_user_id" bigint NOT NULL,
	"org_id" varchar(160) NOT NULL,
	"status" varchar(16) NOT NULL,
	"latest_seq" bigint DEFAULT 0 NOT NULL,
	"workspace_ref" varchar(255),
	"codex_home_ref" varchar(255),
	"adapter" varchar(120) DEFAULT 'in_memory' NOT NULL,
	"metadata" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"executor_session_id" varchar(160),
	"auth_state" jsonb,
	"started_at" timestamp with time zone,
	"stopped_at" timestamp with time zone,
	"last_heartbeat_at" timestamp with time zone,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL
);

CREATE TABLE "http_throttles" (
	"limiter" varchar(64) NOT NULL,
	"key" varchar(128) NOT NULL,
	"hits" integer NOT NULL,
	"window_ends_at" timestamp with time zone NOT NULL,
	CONSTRAINT "http_throttles_limiter_key_pk" PRIMARY KEY("limiter","key")
);

CREATE TABLE "khala_events" (
	"stream_id" bigint NOT NULL,
	"seq" bigint NOT NULL,
	"recorded_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"kind" varchar(160) NOT NULL,
	"doc_key" varchar(255) NOT NULL,
	"doc_version" bigint NOT NULL,
	"payload" text,
	"payload_hash" "bytea",
	CONSTRAINT "khala_events_pkey" PRIMARY KEY("stream_id","seq")
);

CREATE TABLE "khala_meta" (
	"id" smallint PRIMARY KEY DEFAULT 1 NOT NULL,
	"system_identifier" text NOT NULL,
	"jumps" integer DEFAULT 0 NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE "khala_streams" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "khala_streams_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"name" varchar(200) NOT NULL,
	"class" varchar(32) NOT NULL,
	"owner_user_id" bigint,
	"head" bigint DEFAULT 0 NOT NULL,
	"floor" bigint DEFAULT 0 NOT NULL,
	"timeline" char(8) NOT NULL,
	"oldest_at" timestamp with time zone,
	"last_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE "maintenance_state" (
	"id" smallint PRIMARY KEY DEFAULT 1 NOT NULL,
	"enabled" boolean DEFAULT false NOT NULL,
	"reason" varchar(255),
	"message" varchar(500),
	"allowed_paths" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"updated_by" bigint,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "maintenance_state_one" CHECK ("maintenance_state"."id" = 1)
);

CREATE TABLE "org_memberships" (
	"user_id" bigint NOT NULL,
	"org_id" text NOT NULL,
	"org_slug" text NOT NULL,
	"role" text NOT NULL,
	"role_scopes" jsonb NOT NULL,
	"default_org" boolean NOT NULL,
	CONSTRAINT "org_memberships_pk" PRIMARY KEY("user_id","org_id")
);

CREATE TABLE "pairing_codes" (
	"device_code_hash" char(64) PRIMARY KEY NOT NULL,
	"user_code_hash" char(64) NOT NULL,
	"request" jsonb NOT NULL,
	"status" text NOT NULL,
	"user_id" bigint,
	"token_id" bigint,
	"worker_id" varchar(160),
	"name" varchar(80),
	"interval_s" integer NOT NULL,
	"last_polled_at" timestamp (3) with time zone,
	"expires_at" timestamp (0) with time zone NOT NULL,
	"created_at" timestamp (0) with time zone NOT NULL,
	CONSTRAINT "pairing_codes_status" CHECK ("pairing_codes"."status" in ('pending', 'approved', 'denied', 'used'))
);

CREATE TABLE "personal_access_tokens" (
	"id" bigint PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY (sequence name "personal_access_tokens_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"tokenable_type" varchar(255) DEFAULT 'App\Models\User' NOT NULL,
	"tokenable_id" bigint NOT NULL,
	"name" text NOT NULL,
	"token" varchar(64) NOT NULL,
	"abilities" text,
	"worker_id" varchar(160),
	"last_used_at" timestamp (0) with time zone,
	"expires_at" timestamp (0) with time zone,
	"created_at" timestamp (0) with time zone,
	"updated_at" timestamp (0) with time zone
);

CREATE TABLE "route_split_overrides" (
	"scope" varchar(64) PRIMARY KEY NOT NULL,
	"target" varchar(16) NOT NULL,
	"updated_by" bigint,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "route_split_overrides_target" CHECK ("route_split_overrides"."target" in ('legacy', 'rust_shell'))
);

CREATE TABLE "schema_migrations" (
	"name" text PRIMARY KEY NOT NULL,
	"sha256" char(64) NOT NULL,
	"phase" text NOT NULL,
	"applied_at" timestamp with time zone DEFAULT now() NOT NULL,
	"duration_ms" integer NOT NULL,
	"applied_by" text NOT NULL
);

CREATE TABLE "schema_state" (
	"id" integer PRIMARY KEY DEFAULT 1 NOT NULL,
	"min_schema_version" integer NOT NULL,
	"database_id" uuid DEFAULT gen_random_uuid() NOT NULL,
	"restored_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "schema_state_one" CHECK ("schema_state"."id" = 1)
);

CREATE TABLE "server_nodes" (
	"id" text PRIMARY KEY NOT NULL,
	"build_id" text NOT NULL,
	"version" text NOT NULL,
	"schema_version" integer NOT NULL,
	"role" text NOT NULL,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"seen_at" timestamp with time zone DEFAULT now() NOT NULL,
	"sockets" integer DEFAULT 0 NOT NULL,
	"live" integer DEFAULT 0 NOT NULL,
	"behind" integer DEFAULT 0 NOT NULL
);

CREATE TABLE "users" (
	"id" bigint PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY (sequence name "users_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"name" varchar(255) NOT NULL,
	"email" varchar(255) NOT NULL,
	"handle" varchar(64),
	"email_verified_at" timestamp (0) with time zone,
	"workos_id" varchar(255) NOT NULL,
	"remember_token" varchar(100),
	"avatar" text DEFAULT '' NOT NULL,
	"is_admin" boolean DEFAULT false NOT NULL,
	"name_edited_at" timestamp (0) with time zone,
	"created_at" timestamp (0) with time zone,
	"updated_at" timestamp (0) with time zone
);

CREATE TABLE "web_assets" (
	"name" text NOT NULL,
	"encoding" varchar(8) NOT NULL,
	"media_type" text NOT NULL,
	"etag" char(66) NOT NULL,
	"bytes" "bytea" NOT NULL,
	"build_id" varchar(32) NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_build_seen_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "web_assets_name_encoding_pk" PRIMARY KEY("name","encoding")
);

ALTER TABLE "auth_login_links" ADD CONSTRAINT "auth_login_links_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;

ALTER TABLE "auth_refresh_tokens" ADD CONSTRAINT "auth_refresh_tokens_session_id_auth_sessions_id_fk" FOREIGN KEY ("session_id") REFERENCES "public"."auth_sessions"("id") ON DELETE cascade ON UPDATE no action;

ALTER TABLE "auth_sessions" ADD CONSTRAINT "auth_sessions_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;

ALTER TABLE "codex_control_requests" ADD CONSTRAINT "codex_control_requests_worker_pk_codex_workers_id_fk" FOREIGN KEY ("worker_pk") REFERENCES "public"."codex_workers"("id") ON DELETE cascade ON UPDATE no action;

ALTER TABLE "codex_control_requests" ADD CONSTRAINT "codex_control_requests_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;

ALTER TABLE "codex_items" ADD CONSTRAINT "codex_items_thread_id_codex_threads_thread_id_fk" FOREIGN KEY ("thread_id") REFERENCES "public"."codex_threads"("thread_id") ON DELETE cascade ON UPDATE no action;

ALTER TABLE "codex_items" ADD CONSTRAINT "codex_items_turn_id_codex_turns_id_fk" FOREIGN KEY ("turn_id") REFERENCES "public"."codex_turns"("id") ON DELETE cascade ON UPDATE no action;

ALTER TABLE "codex_server_requests" ADD CONSTRAINT "codex_server_requests_worker_pk_codex_workers_id_fk" FOREIGN KEY ("worker_pk") REFERENCES "public"."codex_workers"("id") ON DELETE cascade ON UPDATE no action;

ALTER TABLE "codex_server_requests" ADD CONSTRAINT "codex_server_requests_thread_id_codex_threads_thread_id_fk" FOREIGN KEY ("thread_id") REFERENCES "public"."codex_threads"("thread_id") ON DELETE cascade ON UPDATE no action;

ALTER TABLE "codex_thread_messages" ADD CONSTRAINT "codex_thread_messages_thread_id_codex_threads_thread_id_fk" FOREIGN KEY ("thread_id") REFERENCES "public"."codex_threads"("thread_id") ON DELETE cascade ON UPDATE no action;

ALTER TABLE "codex_threads" ADD CONSTRAINT "codex_threads_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;

ALTER TABLE "codex_threads" ADD CONSTRAINT "codex_threads_worker_pk_codex_workers_id_fk" FOREIGN KEY ("worker_pk") REFERENCES "public"."codex_workers"("id") ON DELETE set null ON UPDATE no action;

ALTER TABLE "codex_turns" ADD CONSTRAINT "codex_turns_thread_id_codex_threads_thread_id_fk" FOREIGN KEY ("thread_id") REFERENCES "public"."codex_threads"("thread_id") ON DELETE cascade ON UPDATE no action;

ALTER TABLE "codex_worker_events" ADD CONSTRAINT "codex_worker_events_worker_pk_codex_workers_id_fk" FOREIGN KEY ("worker_pk") REFERENCES "public"."codex_workers"("id") ON DELETE cascade ON UPDATE no action;

ALTER TABLE "codex_workers" ADD CONSTRAINT "codex_workers_owner_user_id_users_id_fk" FOREIGN KEY ("owner_user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;

ALTER TABLE "org_memberships" ADD CONSTRAINT "org_memberships_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;

ALTER TABLE "pairing_codes" ADD CONSTRAINT "pairing_codes_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;

CREATE INDEX "audit_events_newest" ON "audit_events" USING btree ("occurred_at" DESC NULLS LAST);

CREATE INDEX "audit_events_name" ON "audit_events" USING btree ("event_name","id" DESC NULLS LAST);

CREATE INDEX "audit_events_user" ON "audit_events" USING btree ("user_id","id" DESC NULLS LAST);

CREATE INDEX "auth_challenges_expires_at" ON "auth_challenges" USING btree ("expires_at");

CREATE INDEX "auth_challenges_email" ON "auth_challenges" USING btree ("email");

CREATE INDEX "auth_login_links_email" ON "auth_login_links" USING btree ("email");

CREATE INDEX "auth_login_links_expires_at" ON "auth_login_links" USING btree ("expires_at");

CREATE UNIQUE INDEX "auth_refresh_tokens_id" ON "auth_refresh_tokens" USING btree ("id");

CREATE INDEX "auth_refresh_tokens_session" ON "auth_refresh_tokens" USING btree ("session_id");

CREATE INDEX "auth_refresh_tokens_ended_at" ON "auth_refresh_tokens" USING btree ("ended_at");

CREATE UNIQUE INDEX "auth_sessions_access_token_hash" ON "auth_sessions" USING btree ("access_token_hash");

CREATE UNIQUE INDEX "auth_sessions_active_device" ON "auth_sessions" USING btree ("user_id","device_id") WHERE "auth_sessions"."status" = 'active';

CREATE INDEX "auth_sessions_user_newest" ON "auth_sessions" USING btree ("user_id","issued_at" DESC NULLS LAST);

CREATE INDEX "codex_control_requests_deadline" ON "codex_control_requests" USING btree ("state","deadline_at");

CREATE INDEX "codex_control_requests_pending" ON "codex_control_requests" USING btree ("worker_pk","request_seq") WHERE finished_at is null;

CREATE INDEX "codex_control_requests_finished" ON "codex_control_requests" USING btree ("finished_at");

CREATE INDEX "codex_control_requests_user" ON "codex_control_requests" USING btree ("user_id");

CREATE UNIQUE INDEX "codex_items_turn_item" ON "codex_items" USING btree ("turn_id","item_id");

CREATE INDEX "codex_items_thread" ON "codex_items" USING btree ("thread_id","id");

CREATE INDEX "codex_items_position" ON "codex_items" USING btree ("turn_id","position");

CREATE INDEX "codex_server_requests_thread" ON "codex_server_requests" USING btree ("thread_id","status");

CREATE INDEX "codex_server_requests_worker" ON "codex_server_requests" USING btree ("worker_pk") WHERE status = 'pending';

CREATE UNIQUE INDEX "codex_thread_messages_item" ON "codex_thread_messages" USING btree ("thread_id","turn_id","item_id") WHERE "codex_thread_messages"."item_id" is not null;

CREATE INDEX "codex_thread_messages_order" ON "codex_thread_messages" USING btree ("thread_id","created_at","ordinal");

CREATE UNIQUE INDEX "codex_threads_codex" ON "codex_threads" USING btree ("user_id","codex_thread_id") WHERE "codex_threads"."codex_thread_id" is not null;

CREATE INDEX "codex_threads_newest" ON "codex_threads" USING btree ("user_id","org_id","updated_at" DESC NULLS LAST);

CREATE INDEX "codex_threads_autopilot" ON "codex_threads" USING btree ("autopilot_id");

CREATE INDEX "codex_threads_worker" ON "codex_threads" USING btree ("worker_pk");

CREATE UNIQUE INDEX "codex_turns_codex" ON "codex_turns" USING btree ("thread_id","codex_turn_id") WHERE codex_turn_id is not null and status <> 'steered';

CREATE INDEX "codex_turns_order" ON "codex_turns" USING btree ("thread_id","created_at");

CREATE INDEX "codex_turns_open" ON "codex_turns" USING btree ("thread_id") WHERE status in ('queued', 'in_progress');

CREATE UNIQUE INDEX "codex_worker_events_event" ON "codex_worker_events" USING btree ("worker_pk","event_id") WHERE "codex_worker_events"."event_id" is not null;

CREATE INDEX "codex_worker_events_ack" ON "codex_worker_events" USING btree ("worker_pk",(payload ->> 'handshake_id')) WHERE payload ->> 'method' = 'desktop/handshake_ack';

CREATE INDEX "codex_worker_events_age" ON "codex_worker_events" USING btree ("recorded_at");

CREATE UNIQUE INDEX "codex_workers_owner_worker" ON "codex_workers" USING btree ("owner_user_id","worker_id");

CREATE UNIQUE INDEX "codex_workers_worker" ON "codex_workers" USING btree ("worker_id") WHERE "codex_workers"."worker_id" not like '%:shared';

CREATE INDEX "codex_workers_newest" ON "codex_workers" USING btree ("owner_user_id","updated_at" DESC NULLS LAST);

CREATE INDEX "codex_workers_heartbeat" ON "codex_workers" USING btree ("status","last_heartbeat_at");

CREATE INDEX "http_throttles_ends" ON "http_throttles" USING btree ("window_ends_at");

CREATE UNIQUE INDEX "khala_streams_name" ON "khala_streams" USING btree ("name");

CREATE INDEX "khala_streams_retention" ON "khala_streams" USING btree ("class","oldest_at") WHERE oldest_at is not null;

CREATE INDEX "khala_streams_owner" ON "khala_streams" USING btree ("owner_user_id");

CREATE UNIQUE INDEX "pairing_codes_user_code" ON "pairing_codes" USING btree ("user_code_hash");

CREATE INDEX "pairing_codes_expires_at" ON "pairing_codes" USING btree ("expires_at");

CREATE INDEX "pairing_codes_user" ON "pairing_codes" USING btree ("user_id");

CREATE UNIQUE INDEX "personal_access_tokens_token_unique" ON "personal_access_tokens" USING btree ("token");

CREATE INDEX "personal_access_tokens_tokenable" ON "personal_access_tokens" USING btree ("tokenable_type","tokenable_id");

CREATE INDEX "personal_access_tokens_expires_at" ON "personal_access_tokens" USING btree ("expires_at");

CREATE UNIQUE INDEX "users_email_unique" ON "users" USING btree ("email");

CREATE UNIQUE INDEX "users_workos_id_unique" ON "users" USING btree ("workos_id");

CREATE UNIQUE INDEX "users_handle_unique" ON "users" USING btree ("handle");

CREATE UNIQUE INDEX "users_email_lower" ON "users" USING btree (lower("email"));

CREATE INDEX "web_assets_build" ON "web_assets" USING btree ("build_id");

-- Losing the counters loses one window (http-platform 4).
alter table http_throttles set unlogged;

-- The counter update of an append stays in its page (khala 4).
alter table khala_streams set (fillfactor = 50);

-- The log only grows at its right edges and is cut at its left ones (khala 4).
alter table khala_events set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);
