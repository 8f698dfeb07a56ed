import { ConfigError, parseSetting, type Setting } from "./settings";

const text = (fallback = ""): Setting<string> => ({ kind: "text", fallback });
const maybe = (): Setting<string | null> => ({ kind: "maybe", fallback: null });
const secret = (): Setting<string | null> => ({ kind: "maybe", fallback: null, secret: true });
const flag = (fallback: boolean): Setting<boolean> => ({ kind: "flag", fallback });
const maybeFlag = (): Setting<boolean | null> => ({ kind: "flag", fallback: null });
const count = (fallback: number, min = 1): Setting<number> => ({ kind: "count", fallback, min });
const maybeCount = (): Setting<number | null> => ({ kind: "maybeCount", fallback: null, min: 1 });
const list = (...fallback: string[]): Setting<string[]> => ({ kind: "list", fallback });
const also = <T>(setting: Setting<T>, ...names: string[]): Setting<T> => ({ ...setting, also: names });

/**
 * Every environment variable of the product, typed, once. Read as `config.NAME`. The contract that owns a group is named
 * above it; `X_FILE` beside a secret names a file that holds it (ops-data 2.4).
 */
export const settings = {
  // auth.md 5
  APP_ENV: text("production"),
  APP_NAME: text("OpenAgents"),
  APP_URL: maybe(),
  OA_AUTH_PROVIDER_MODE: text("auto"),
  WORKOS_CLIENT_ID: maybe(),
  WORKOS_API_KEY: secret(),
  OA_WORKOS_API_BASE_URL: text("https://api.workos.com"),
  OA_AUTH_MOCK_MAGIC_CODE: text("123456"),
  OA_AUTH_CHALLENGE_TTL_SECONDS: count(600),
  OA_AUTH_ACCESS_TTL_SECONDS: count(3600),
  OA_AUTH_REFRESH_TTL_SECONDS: count(2592000),
  OA_AUTH_API_SIGNUP_ENABLED: also(flag(false), "OA_API_SIGNUP_ENABLED"),
  OA_AUTH_API_SIGNUP_ALLOWED_DOMAINS: also(list(), "OA_API_SIGNUP_ALLOWED_DOMAINS"),
  OA_AUTH_API_SIGNUP_DEFAULT_TOKEN_NAME: also(text("api-bootstrap"), "OA_API_SIGNUP_DEFAULT_TOKEN_NAME"),
  OA_AUTH_LOCAL_TEST_LOGIN_ENABLED: also(flag(false), "OA_ALLOW_LOCAL_TEST_AUTH"),
  OA_AUTH_LOCAL_TEST_LOGIN_ALLOWED_EMAILS: also(list(), "OA_LOCAL_TEST_AUTH_EMAILS"),
  OA_AUTH_LOCAL_TEST_LOGIN_SIGNING_KEY: secret(),
  OA_AUTH_LOCAL_SIGNUP_DOMAINS: list(),
  OA_MAIL_URL: secret(),
  OA_MAIL_FROM: maybe(),
  RESEND_API_BASE_URL: text("https://api.resend.com"),
  ADMIN_EMAILS: also(list(), "OA_ADMIN_EMAILS"),
  SANCTUM_TOKEN_PREFIX: text(),
  OA_SYNC_TOKEN_ENABLED: flag(true),
  OA_SYNC_TOKEN_SIGNING_KEY: also<string | null>(
    { kind: "maybe", fallback: null, secret: true, keepBlank: true },
    "SYNC_TOKEN_SIGNING_KEY",
    "RUNTIME_SYNC_TOKEN_SIGNING_KEY",
  ),
  OA_SYNC_TOKEN_ISSUER: also<string | null>(
    { kind: "maybe", fallback: null, keepBlank: true },
    "RUNTIME_SYNC_TOKEN_ISSUER",
  ),
  OA_SYNC_TOKEN_AUDIENCE: also<string>(
    { kind: "text", fallback: "openagents-sync", keepBlank: true },
    "RUNTIME_SYNC_TOKEN_AUDIENCE",
  ),
  OA_SYNC_TOKEN_TTL_SECONDS: count(300, 0),
  OA_SYNC_TOKEN_MIN_TTL_SECONDS: count(60, 0),
  OA_SYNC_TOKEN_MAX_TTL_SECONDS: count(900, 0),
  OA_SYNC_TOKEN_SUBJECT_PREFIX: text("user"),
  OA_SYNC_TOKEN_KEY_ID: { kind: "text", fallback: "sync-auth-v1", keepBlank: true } as Setting<string>,
  OA_SYNC_TOKEN_CLAIMS_VERSION: { kind: "text", fallback: "oa_sync_claims_v1", keepBlank: true } as Setting<string>,
  OA_SYNC_TOKEN_ORG_PREFIX: text("user"),
  OA_SYNC_TOKEN_ALLOWED_SCOPES: list(
    "runtime.run_summaries",
    "runtime.codex_worker_summaries",
    "runtime.codex_worker_events",
    "runtime.notifications",
    "runtime.run_events",
    "runtime.worker_lifecycle_events",
  ),
  OA_SYNC_TOKEN_DEFAULT_SCOPES: list("runtime.codex_worker_summaries"),
  OA_SYNC_TOKEN_PREVIOUS_KEY_ID: maybe(),
  OA_SYNC_TOKEN_PREVIOUS_SIGNING_KEY: secret(),
  OA_KHALA_TOKEN_ENABLED: flag(true),
  OA_KHALA_TOKEN_SIGNING_KEY: also<string | null>(
    { kind: "maybe", fallback: null, secret: true, keepBlank: true },
    "KHALA_TOKEN_SIGNING_KEY",
  ),
  OA_KHALA_TOKEN_ISSUER: { kind: "maybe", fallback: null, keepBlank: true } as Setting<string | null>,
  OA_KHALA_TOKEN_AUDIENCE: { kind: "text", fallback: "openagents-khala", keepBlank: true } as Setting<string>,
  OA_KHALA_TOKEN_TTL_SECONDS: count(300, 0),
  OA_KHALA_TOKEN_MIN_TTL_SECONDS: count(60, 0),
  OA_KHALA_TOKEN_MAX_TTL_SECONDS: count(900, 0),
  OA_KHALA_TOKEN_SUBJECT_PREFIX: text("user"),
  OA_KHALA_TOKEN_KEY_ID: { kind: "text", fallback: "khala-auth-v1", keepBlank: true } as Setting<string>,
  OA_KHALA_TOKEN_CLAIMS_VERSION: { kind: "text", fallback: "oa_khala_claims_v1", keepBlank: true } as Setting<string>,
  OA_COMPAT_CONTROL_ENFORCED: flag(false),
  OA_COMPAT_CONTROL_PROTOCOL_VERSION: text("openagents.control.v1"),
  OA_COMPAT_CONTROL_MIN_CLIENT_BUILD_ID: text("00000000T000000Z"),
  OA_COMPAT_CONTROL_MAX_CLIENT_BUILD_ID: maybe(),
  OA_COMPAT_CONTROL_MIN_SCHEMA_VERSION: count(1),
  OA_COMPAT_CONTROL_MAX_SCHEMA_VERSION: count(1),
  POSTHOG_API_KEY: secret(),
  POSTHOG_HOST: text("https://us.i.posthog.com"),
  POSTHOG_DISABLED: maybeFlag(),
  OTEL_EXPORTER_OTLP_ENDPOINT: maybe(),

  // http-platform.md 5
  OA_TRUSTED_PROXIES: list("loopback"),
  OA_ALLOWED_HOSTS: list(),
  OA_CORS_ALLOWED_ORIGINS: list(),
  OA_HTTP_MAX_BODY_BYTES: count(2097152),
  OA_HTTP_HANDLER_TIMEOUT_MS: count(60000, 0),
  OA_HSTS_MAX_AGE: count(31536000, 0),
  OA_CONTROL_STATIC_DIR: maybe(),
  OA_MIN_CLIENT_BUILD_ID: maybe(),
  OA_MAX_CLIENT_BUILD_ID: maybe(),
  OA_ROLLBACK_BUILD_IDS: list(),
  OA_PROTOCOL_VERSION: text("khala.ws.v1"),
  OA_SYNC_SCHEMA_MIN: count(1),
  OA_SYNC_SCHEMA_MAX: count(1),
  OA_SMOKE_SECRET: secret(),
  OA_METRICS_TOKEN: secret(),
  OA_MAINTENANCE_MODE_ENABLED: flag(false),
  OA_MAINTENANCE_BYPASS_TOKEN: secret(),
  OA_MAINTENANCE_BYPASS_COOKIE_NAME: text("oa_maintenance_bypass"),
  OA_MAINTENANCE_BYPASS_COOKIE_TTL_SECONDS: count(900),
  OA_MAINTENANCE_ALLOWED_PATHS: list("/healthz", "/readyz"),
  OA_MAINTENANCE_RETRY_AFTER_SECONDS: count(60),
  OA_ROUTE_SPLIT_ENABLED: flag(true),
  OA_ROUTE_SPLIT_MODE: text("rust"),
  OA_ROUTE_SPLIT_RUST_ROUTES: list("/"),
  OA_ROUTE_SPLIT_COHORT_PERCENTAGE: count(100, 0),
  OA_ROUTE_SPLIT_SALT: text("openagents-route-split-v1"),
  OA_ROUTE_SPLIT_FORCE_LEGACY: flag(false),
  OA_ROUTE_SPLIT_LEGACY_BASE_URL: maybe(),
  OA_LOG_LEVEL: also(text("info"), "OA_CONTROL_LOG_FILTER"),
  OA_LOG_FORMAT: also(maybe(), "OA_CONTROL_LOG_FORMAT"),
  OA_JOBS_CONCURRENCY: count(8),

  // khala.md 5
  OA_KHALA_WS_URL: maybe(),
  RUNTIME_KHALA_ENFORCE_ORIGIN: flag(true),
  RUNTIME_KHALA_ALLOWED_ORIGINS: list("https://openagents.com", "https://www.openagents.com"),
  RUNTIME_KHALA_RUN_EVENTS_PUBLISH_RATE_PER_SECOND: count(240),
  RUNTIME_KHALA_WORKER_LIFECYCLE_PUBLISH_RATE_PER_SECOND: count(180),
  RUNTIME_KHALA_CODEX_WORKER_EVENTS_PUBLISH_RATE_PER_SECOND: count(240),
  RUNTIME_KHALA_FALLBACK_PUBLISH_RATE_PER_SECOND: count(90),
  RUNTIME_KHALA_RUN_EVENTS_REPLAY_BUDGET_EVENTS: count(20000),
  RUNTIME_KHALA_WORKER_LIFECYCLE_REPLAY_BUDGET_EVENTS: count(10000),
  RUNTIME_KHALA_CODEX_WORKER_EVENTS_REPLAY_BUDGET_EVENTS: count(3000),
  RUNTIME_KHALA_FALLBACK_REPLAY_BUDGET_EVENTS: count(500),
  RUNTIME_KHALA_RUN_EVENTS_MAX_PAYLOAD_BYTES: count(262144),
  RUNTIME_KHALA_WORKER_LIFECYCLE_MAX_PAYLOAD_BYTES: count(65536),
  RUNTIME_KHALA_CODEX_WORKER_EVENTS_MAX_PAYLOAD_BYTES: count(131072),
  RUNTIME_KHALA_FALLBACK_MAX_PAYLOAD_BYTES: count(65536),
  OA_KHALA_RETENTION_SECONDS_CODEX_WORKER_EVENTS: count(86400),
  OA_KHALA_RETENTION_SECONDS_DURABLE_SUMMARY: maybeCount(),
  OA_KHALA_RETENTION_SECONDS_WORKER_LIFECYCLE: count(259200),
  OA_KHALA_RETENTION_SECONDS_RUN_EVENTS: count(604800),
  OA_KHALA_RETENTION_SECONDS_EPHEMERAL_NOTIFICATIONS: count(43200),
  OA_KHALA_RETENTION_SECONDS_FALLBACK: count(86400),
  RUNTIME_KHALA_POLL_DEFAULT_LIMIT: count(100),
  RUNTIME_KHALA_POLL_MAX_LIMIT: count(200),
  RUNTIME_KHALA_OUTBOUND_QUEUE_LIMIT: count(200),
  RUNTIME_KHALA_FAIR_TOPIC_SLICE_LIMIT: count(50),
  RUNTIME_KHALA_POLL_MIN_INTERVAL_MS: count(250),
  RUNTIME_KHALA_RECONNECT_BASE_BACKOFF_MS: count(400),
  RUNTIME_KHALA_RECONNECT_JITTER_MS: count(250),
  RUNTIME_SYNC_TOKEN_REQUIRE_JTI: flag(true),
  RUNTIME_SYNC_TOKEN_MAX_AGE_SECONDS: count(300),
  RUNTIME_SYNC_REVOKED_JTIS: list(),
  OA_COMPAT_KHALA_ENFORCED: flag(false),
  OA_COMPAT_KHALA_PROTOCOL_VERSION: text("khala.ws.v1"),
  OA_COMPAT_KHALA_MIN_CLIENT_BUILD_ID: text("00000000T000000Z"),
  OA_COMPAT_KHALA_MAX_CLIENT_BUILD_ID: maybe(),
  OA_COMPAT_KHALA_MIN_SCHEMA_VERSION: count(1),
  OA_COMPAT_KHALA_MAX_SCHEMA_VERSION: count(1),
  OA_KHALA_HEARTBEAT_INTERVAL_MS: count(15000),
  OA_KHALA_HEARTBEAT_TIMEOUT_MS: count(60000),
  OA_KHALA_SLOW_CONSUMER_SECONDS: count(30),
  OA_KHALA_MAX_SOCKETS: count(20000),
  OA_KHALA_MAX_SOCKETS_PER_USER: count(30),

  // codex-chat.md 5
  OA_CODEX_HEARTBEAT_STALE_AFTER_MS: count(120000),
  OA_CODEX_REQUEST_QUEUE_TTL_SECONDS: count(600),
  OA_CODEX_RECEIPT_TIMEOUT_SECONDS: count(60),
  OA_CODEX_REQUIRE_CHATGPT_ACCOUNT: flag(true),
  OA_CODEX_EVENT_RETENTION_DAYS: count(30),
  OA_LEGACY_CHAT_SUNSET: maybe(),
  OA_SERVER_URL: maybe(),
  OA_API_TOKEN: secret(),
  OA_WORKER_ID: maybe(),
  OA_CODEX_BIN: maybe(),

  // remote-control.md 8
  OA_PAIRING_TTL_SECONDS: count(600),

  // ops-data.md 5
  DATABASE_URL: secret(),
  OA_DATABASE_POOL_SIZE: count(10),
  OA_DATABASE_CONNECT_TIMEOUT_MS: count(5000),
  OA_DATABASE_STATEMENT_TIMEOUT_MS: count(30000),
  OA_EMBEDDED_SYNC: flag(true),
  OA_DATA_DIR: maybe(),
  OA_BIND_HOST: maybe(),
  OA_BIND_ADDR: also(maybe(), "OA_CONTROL_BIND_ADDR"),
  PORT: { kind: "maybeCount", fallback: null, min: 0 } as Setting<number | null>,
  OA_SHUTDOWN_TIMEOUT_MS: count(25000),
  OA_SHUTDOWN_DELAY_MS: { kind: "maybeCount", fallback: null, min: 0 } as Setting<number | null>,
  OA_NODE_ID: maybe(),
  APP_KEY: secret(),
  APP_PREVIOUS_KEYS: { kind: "list", fallback: [], secret: true } as Setting<string[]>,
};

export type SettingName = keyof typeof settings;

/** The product's configuration: one member for each environment variable, parsed. */
export type Config = { readonly [N in SettingName]: (typeof settings)[N]["fallback"] };

/**
 * Reads every setting from `values` (names to raw text, already merged from flags, environment and file).
 * Throws one `ConfigError` naming every variable that is wrong (ops-data 2.2, exit 78).
 */
export function readConfig(values: Record<string, string | undefined>): Config {
  const problems: string[] = [];
  const config = {} as Record<string, unknown>;
  for (const [name, setting] of Object.entries(settings) as [string, Setting<unknown>][]) {
    const result = parseSetting(name, setting, values);
    if ("problem" in result) problems.push(result.problem);
    else config[name] = result.value;
  }
  if (problems.length) throw new ConfigError(problems);
  return config as Config;
}
