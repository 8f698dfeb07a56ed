import { createHash } from "node:crypto";
import type { Config } from "../config";
import type { Target } from "./stored";

interface Group {
  domain: string;
  prefixes: string[];
  rollback: Target;
}

/** Groups of page paths that move together (http-platform 3.12). */
export const groups: Group[] = [
  { domain: "auth_entry", prefixes: ["/login", "/register", "/authenticate", "/onboarding"], rollback: "legacy" },
  { domain: "account_settings_admin", prefixes: ["/account", "/settings", "/admin"], rollback: "legacy" },
  { domain: "billing_l402", prefixes: ["/billing", "/l402"], rollback: "legacy" },
  { domain: "chat_pilot", prefixes: ["/chat", "/feed", "/"], rollback: "rust_shell" },
];

export type Reason =
  | "codex_worker_control_rust_authority"
  | "api_rust_authority"
  | "pilot_route_rust_only"
  | "domain_override"
  | "force_legacy"
  | "runtime_override"
  | "route_split_disabled"
  | "legacy_route_default"
  | "mode_legacy"
  | "mode_rust"
  | "mode_cohort";

/** Who serves a path, and why. */
export interface Decision {
  path: string;
  target: Target;
  reason: Reason;
  route_domain: string;
  rollback_target: Target;
  cohort_key: string;
  /** In cohort mode only. */
  cohort_bucket?: number;
}

const isBelow = (path: string, prefix: string): boolean => path === prefix || path.startsWith(`${prefix}/`);

const groupOf = (path: string): Group | undefined =>
  groups.find(({ prefixes }) => prefixes.some((prefix) => (prefix === "/" ? path === "/" : isBelow(path, prefix))));

/** Trimmed, with a leading slash, without doubled and trailing ones. */
export const normalPath = (path: string): string => `/${path.trim()}`.replace(/\/+/g, "/").replace(/(?<=.)\/$/, "");

/** The bucket, 0 to 99, of a cohort key (http-platform 3.12). */
export function cohortBucket(salt: string, key: string): number {
  const digest = createHash("sha256").update(`${salt}:${key}`).digest("base64url");
  let value = 0;
  for (let i = 0; i < 4; i++) value = (Math.imul(value, 131) + digest.charCodeAt(i)) >>> 0;
  return value % 100;
}

export type Mode = "legacy" | "rust" | "cohort";

/** An unknown mode counts as `legacy`. */
export const modeOf = ({ OA_ROUTE_SPLIT_MODE: mode }: Config): Mode =>
  mode === "rust" || mode === "cohort" ? mode : "legacy";

export const cohortPercentage = (config: Config): number => Math.min(100, config.OA_ROUTE_SPLIT_COHORT_PERCENTAGE);

/** Decides for a path by the table of http-platform 3.12. `isRequest`: a page is really asked for, not evaluated. */
export function decide(
  config: Config,
  overrides: ReadonlyMap<string, Target>,
  asked: { path: string; key: string; isRequest: boolean },
): Decision {
  const path = normalPath(asked.path);
  const key = asked.key.trim() || "anonymous";
  const of = (target: Target, reason: Reason, domain: string, rollback: Target, bucket?: number): Decision => ({
    path,
    target,
    reason,
    route_domain: domain,
    rollback_target: rollback,
    ...(bucket === undefined ? {} : { cohort_bucket: bucket }),
    cohort_key: key,
  });
  if (isBelow(path, "/api/runtime/codex/workers"))
    return of("rust_shell", "codex_worker_control_rust_authority", "runtime_codex_worker_control", "rust_shell");
  if (isBelow(path, "/api")) return of("rust_shell", "api_rust_authority", "api_rust_authority", "rust_shell");
  if (asked.isRequest && (path === "/" || isBelow(path, "/chat")))
    return of("rust_shell", "pilot_route_rust_only", "chat_pilot", "rust_shell");

  const group = groupOf(path);
  const decided = (target: Target, reason: Reason, bucket?: number) =>
    of(target, reason, group?.domain ?? "unclassified", group?.rollback ?? "legacy", bucket);
  const own = group && overrides.get(group.domain);
  if (own) return decided(own, "domain_override");
  if (config.OA_ROUTE_SPLIT_FORCE_LEGACY) return decided("legacy", "force_legacy");
  const global = overrides.get("global");
  if (global) return decided(global, "runtime_override");
  if (!config.OA_ROUTE_SPLIT_ENABLED) return decided("legacy", "route_split_disabled");
  const listed = config.OA_ROUTE_SPLIT_RUST_ROUTES.some((entry) => {
    const prefix = normalPath(entry);
    return prefix === "/" || isBelow(path, prefix);
  });
  if (!listed) return decided("legacy", "legacy_route_default");
  const mode = modeOf(config);
  if (mode !== "cohort") return decided(mode === "rust" ? "rust_shell" : "legacy", `mode_${mode}`);
  const bucket = cohortBucket(config.OA_ROUTE_SPLIT_SALT, key);
  return decided(bucket < cohortPercentage(config) ? "rust_shell" : "legacy", "mode_cohort", bucket);
}

/** The route split as operators see it (S of http-platform 3.12). */
export function splitView(config: Config, overrides: ReadonlyMap<string, Target>) {
  return {
    enabled: config.OA_ROUTE_SPLIT_ENABLED,
    mode: modeOf(config),
    cohort_percentage: cohortPercentage(config),
    rust_routes: config.OA_ROUTE_SPLIT_RUST_ROUTES,
    force_legacy: config.OA_ROUTE_SPLIT_FORCE_LEGACY,
    legacy_base_url: config.OA_ROUTE_SPLIT_LEGACY_BASE_URL,
    override_target: overrides.get("global") ?? null,
    route_groups: groups.map(({ domain, prefixes, rollback }) => ({
      domain,
      route_prefixes: prefixes,
      rollback_target: rollback,
      override_target: overrides.get(domain) ?? null,
    })),
    rollback_matrix: Object.fromEntries(groups.map(({ domain, rollback }) => [domain, rollback])),
    domain_overrides: Object.fromEntries(
      groups.flatMap(({ domain }) => (overrides.has(domain) ? [[domain, overrides.get(domain) as Target]] : [])),
    ),
  };
}
