import type { Config } from "../config";

/** What a client says of itself at join (khala 2.3). */
export interface ClientFacts {
  client: string;
  buildId: string;
  protocol: string;
  schema: number;
}

export interface Window {
  enforced: boolean;
  protocol: string;
  minBuildId: string;
  maxBuildId: string | null;
  minSchema: number;
  maxSchema: number;
}

/** Where a client is asked what it is (auth 3.13, khala 3.10). */
export type Surface = "khala_websocket" | "control_api";

export const windowOf = (config: Config): Window => ({
  enforced: config.OA_COMPAT_KHALA_ENFORCED,
  protocol: config.OA_COMPAT_KHALA_PROTOCOL_VERSION,
  minBuildId: config.OA_COMPAT_KHALA_MIN_CLIENT_BUILD_ID,
  maxBuildId: config.OA_COMPAT_KHALA_MAX_CLIENT_BUILD_ID,
  minSchema: config.OA_COMPAT_KHALA_MIN_SCHEMA_VERSION,
  maxSchema: Math.max(config.OA_COMPAT_KHALA_MAX_SCHEMA_VERSION, config.OA_COMPAT_KHALA_MIN_SCHEMA_VERSION),
});

/** Build ids compare as byte strings. */
const before = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;

/** The first failing check of auth 3.13 as code and text, or null when the client fits the window. */
function failing({ buildId, protocol, schema }: ClientFacts, window: Window): [code: string, message: string] | null {
  if (!buildId) return ["invalid_client_build", "client_build_id is required"];
  if (protocol !== window.protocol) {
    return [
      "unsupported_protocol_version",
      `protocol version '${protocol}' is unsupported; expected '${window.protocol}'`,
    ];
  }
  if (schema < window.minSchema || schema > window.maxSchema) {
    const range = `${window.minSchema}..=${window.maxSchema}`;
    return ["unsupported_schema_version", `schema_version ${schema} is outside supported range ${range}`];
  }
  if (before(buildId, window.minBuildId)) {
    const text = `client build '${buildId}' is older than minimum supported '${window.minBuildId}'; upgrade is required`;
    return ["upgrade_required", text];
  }
  if (window.maxBuildId !== null && before(window.maxBuildId, buildId)) {
    const text = `client build '${buildId}' is newer than supported maximum '${window.maxBuildId}'`;
    return ["unsupported_client_build", text];
  }
  return null;
}

/** What a client outside the window is told (auth 3.13, khala 3.10), or null. */
export function incompatibility(facts: ClientFacts, window: Window, surface: Surface = "khala_websocket") {
  if (!window.enforced) return null;
  const found = failing(facts, window);
  if (!found) return null;
  const [code, message] = found;
  return {
    code,
    message,
    retryable: false,
    upgrade_required: true,
    surface,
    min_client_build_id: window.minBuildId,
    max_client_build_id: window.maxBuildId,
    min_schema_version: window.minSchema,
    max_schema_version: window.maxSchema,
    protocol_version: window.protocol,
  };
}

const word = (...values: unknown[]): string => {
  for (const value of values) if (typeof value === "string" && value.trim()) return value.trim();
  return "";
};

/** Join payload before query before claims. */
export function clientFacts(
  payload: Record<string, unknown>,
  query: Record<string, string>,
  claims: Record<string, unknown>,
): ClientFacts {
  const schema = payload.schema_version ?? query.schema_version ?? claims.oa_schema_version;
  const number = typeof schema === "number" ? schema : /^\d{1,9}$/.test(String(schema)) ? Number(schema) : 0;
  return {
    client: word(payload.client, query.client, claims.oa_client),
    buildId: word(payload.client_build_id, query.client_build_id, claims.oa_client_build_id),
    protocol: word(payload.protocol_version, query.protocol_version, claims.oa_protocol_version),
    schema: Number.isSafeInteger(number) ? number : 0,
  };
}
