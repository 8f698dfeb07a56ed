import { invalid } from "../refusal";
import { randomHex } from "./credentials";

const native = new Map([
  ["autopilot-ios", "mobile:autopilot-ios"],
  ["openagents-expo", "mobile:openagents-expo"],
  ["autopilot-desktop", "desktop:autopilot-desktop"],
  ["openagents-desktop", "desktop:openagents-desktop"],
]);

/** Our own pages: they get cookies and no readable token (auth.md 2.2). */
export const webClient = "openagents-web";

/** A client's word for itself, folded; null without one. */
export const clientName = (header: string | null): string | null => header?.trim().toLowerCase().slice(0, 64) || null;

/** Token name by `x-client` (auth.md 3.5). */
export const tokenNameOf = (client: string | null): string => native.get(client ?? "") ?? "device:unknown";

export const newWebDevice = (): string => `web:${randomHex()}`;

const allowed = /^[A-Za-z0-9:._-]+$/;

/** A device id as stored: trimmed, lower-cased; null when blank. Throws 422 on `device_id` for a bad one (auth.md 2.2). */
export function deviceIdOf(given: unknown): string | null {
  if (given === undefined || given === null) return null;
  const text = String(given).trim();
  if (!text) return null;
  if ([...text].length > 160) throw invalid("device_id", "Device id exceeds maximum length.");
  if (!allowed.test(text)) throw invalid("device_id", "Device id contains unsupported characters.");
  return text.toLowerCase();
}

/** The device id of a browser's cookie; a broken one counts as none. */
export function cookieDevice(cookie: string | undefined): string | null {
  const known = cookie?.trim() ?? "";
  return known.length <= 160 && allowed.test(known) ? known.toLowerCase() : null;
}

/** What `oa_device_id` is set to: always a browser's id, also where the client called itself something else. */
export const deviceForCookie = (deviceId: string): string =>
  /^web:[0-9a-f]{32}$/.test(deviceId) ? deviceId : newWebDevice();

/**
 * The device that signs in: what it says, else the token name of a native client, else the browser's cookie, else a new
 * browser id.
 */
export function signInDevice(said: string | null, client: string | null, cookie: string | undefined): string {
  if (said) return said;
  const name = native.get(client ?? "");
  if (name) return name;
  return cookieDevice(cookie) ?? newWebDevice();
}
