import type { ComponentType } from "preact";
import type { PageKey } from "../shell/routes";
import { LoginPage } from "./login";
import { StatusPage } from "./status";
import { Chat } from "./thread/chat";

/** A page gets its path parameters as props; it mounts when entered and unmounts when left. */
export type Page = ComponentType<Record<string, string>>;

const settings = () => import("./settings/settings").then((module) => module.SettingsPage);

/**
 * Pages of the first load stand in the bundle (`now`), the others are fetched when first needed (`later`). Two keys with one
 * component keep it mounted between them: home becomes a thread without losing composer or transcript.
 */
export const pages: Record<PageKey, { now: Page } | { later: () => Promise<Page> }> = {
  home: { now: Chat as Page },
  thread: { now: Chat as Page },
  login: { now: LoginPage },
  "login-link": { later: () => import("./login-link").then((module) => module.LoginLinkPage as Page) },
  pair: { later: () => import("./pair").then((module) => module.PairPage) },
  "settings-profile": { later: settings },
  "settings-sessions": { later: settings },
  "settings-tokens": { later: settings },
  admin: { later: () => import("./admin/admin").then((module) => module.AdminPage) },
  "not-found": { now: StatusPage },
  forbidden: { now: StatusPage },
  error: { now: StatusPage },
  maintenance: { now: StatusPage },
};
