/** What the login form accepts (web-ui 7.3): pure, checked before a request is made. */
const MOST = 255;

/** Why an address cannot be used, or null. The server decides about the rest. */
export function emailProblem(email: string): string | null {
  const text = email.trim();
  if (text === "") return "The email field is required.";
  if ([...text].length > MOST) return `The email field must not be greater than ${MOST} characters.`;
  if (!/^\S.*@[^\s@]+$/.test(text) || /[\s.]@|@[.-]|\.$/.test(text))
    return "The email field must be a valid email address.";
  return null;
}

export type Code = { code: string; problem?: undefined } | { code?: undefined; problem: string };

/** What was typed or pasted, reduced to the code: exactly six digits win, else letters and digits are kept. */
export function readCode(typed: string): Code {
  const text = typed.replace(/\s+/g, "");
  if (text === "") return { problem: "The code field is required." };
  const digits = text.replace(/\D/g, "");
  const code = digits.length === 6 ? digits : text.replace(/[^A-Za-z0-9]/g, "");
  if (code === "") return { problem: "verification code must contain letters or digits" };
  if (code.length < 6) return { problem: "The code field must be at least 6 characters." };
  if (code.length > 128) return { problem: "The code field must not be greater than 128 characters." };
  return { code };
}

/** Whether this input is a whole six-digit code and nothing else: then it is sent without a click. */
export const isWhole = (typed: string): boolean => /^\d{6}$/.test(typed.replace(/[\s-]+/g, ""));

export interface Pending {
  email: string;
  sentAt: number;
}

export const PENDING_KEY = "oa.login.pending";
const LASTS_MS = 10 * 60_000;
export const RESEND_MS = 30_000;

/** The step that was begun before a reload, if it is younger than ten minutes. */
export function readPending(stored: string | null, now: number): Pending | null {
  try {
    const one = JSON.parse(stored ?? "null") as Partial<Pending> | null;
    if (!one || typeof one.email !== "string" || typeof one.sentAt !== "number") return null;
    return now - one.sentAt < LASTS_MS && one.sentAt <= now ? { email: one.email, sentAt: one.sentAt } : null;
  } catch {
    return null;
  }
}
