import type { Config } from "../config";
import { unavailable } from "../refusal";

export type Provider = "workos" | "local" | "mock";

/** Who makes and delivers sign-in codes (auth.md 5): `auto` is WorkOS when it is configured, else the server itself. */
export function providerOf(config: Config): Provider {
  const mode = config.OA_AUTH_PROVIDER_MODE.toLowerCase();
  if (mode === "workos" || mode === "local" || mode === "mock") return mode;
  return workosIsConfigured(config) ? "workos" : "local";
}

export const workosIsConfigured = (config: Config): boolean =>
  Boolean(config.WORKOS_CLIENT_ID && config.WORKOS_API_KEY);

export const mailIsConfigured = (config: Config): boolean => Boolean(config.OA_MAIL_URL && config.OA_MAIL_FROM);

/** What is wrong with the sign-in configuration: the start stops on these (auth.md 3.1, 5). */
export function providerProblems(config: Config): string[] {
  const mode = config.OA_AUTH_PROVIDER_MODE.toLowerCase();
  const problems: string[] = [];
  if (!["auto", "workos", "local", "mock"].includes(mode)) {
    problems.push(`OA_AUTH_PROVIDER_MODE must be auto, workos, local or mock, not '${config.OA_AUTH_PROVIDER_MODE}'`);
  }
  if (mode === "mock" && config.APP_ENV === "production") {
    problems.push(
      "OA_AUTH_PROVIDER_MODE=mock is refused when APP_ENV is production; use it with APP_ENV=local, or 'serve --dev'",
    );
  }
  const { OA_MAIL_URL: mail, OA_MAIL_FROM: from } = config;
  if (mail && !isMailUrl(mail)) {
    problems.push("OA_MAIL_URL must be smtp://user:pass@host:587, smtps://… or resend://API_KEY");
  }
  if (mail && !from) problems.push("OA_MAIL_FROM must be set when OA_MAIL_URL is");
  return problems;
}

const isMailUrl = (text: string): boolean =>
  /^resend:\/\/\S+$/.test(text) || (/^smtps?:\/\/[^/\s]+\/?$/.test(text) && URL.canParse(text));

export const workosMissing = () =>
  unavailable(
    "WorkOS identity provider is required. Configure WORKOS_CLIENT_ID and WORKOS_API_KEY or use OA_AUTH_PROVIDER_MODE=mock only for local/testing.",
  );

export const mailMissing = () =>
  unavailable(
    "E-mail sign-in is not set up on this server. Ask its operator for a sign-in link (openagents ops login-link).",
  );
