/** Lower-cased and trimmed: how e-mail addresses are compared and stored. */
export const foldEmail = (email: string): string => email.trim().toLowerCase();

/** The part after the last `@`, or `unknown`: all that an audit row may say of an address. */
export const emailDomain = (email: string): string => foldEmail(email).split("@").slice(1).at(-1) || "unknown";

/** What a handle is made of before it is made unique (auth.md 3.3). Also reduces host names (remote-control.md 2). */
export function handleBase(text: string, empty = "user"): string {
  const local = text
    .replace(/[A-Z]/g, (letter) => letter.toLowerCase())
    .trim()
    .split("@")[0] as string;
  const base = local
    .replace(/[^a-z0-9:_-]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 64);
  return base || empty;
}

/** `base`, then `base-1`, `base-2`, …, the base cut so that the whole stays within `max`. */
export const numbered = (base: string, n: number, max = 64): string =>
  n === 0 ? base : `${base.slice(0, max - `-${n}`.length)}-${n}`;

/** Default name from an e-mail (auth.md 3.3); `empty` when nothing is left. */
export function nameFromEmail(email: string, empty = "API User"): string {
  const words = (email.split("@")[0] as string).replace(/[._-]/g, " ").trim();
  const name = words.replace(/(^|\s)(\p{L})/gu, (_, gap: string, letter: string) => gap + letter.toUpperCase());
  return [...name].slice(0, 120).join("") || empty;
}
