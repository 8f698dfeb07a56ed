import { cookie, dropCookie } from "../cookies";

export interface Flash {
  status?: string;
  errors: Record<string, string>;
}

/** Words of a status that came by flash (auth 2.12). */
const TEXTS: Record<string, string> = {
  "code-sent": "A verification code was sent. Enter it to sign in.",
  "code-expired": "Your sign-in code expired. Request a new code.",
  "invalid-code": "Invalid sign-in code. Try again.",
  "signed-out": "Signed out.",
  "profile-updated": "Profile updated.",
  "profile-deleted": "Profile deleted.",
};

export const flashText = (status: string): string => TEXTS[status] ?? "";

/** Reads a flash value (base64url JSON); anything else is none. Pure. */
export function parseFlash(value: string | null): Flash | null {
  if (!value) return null;
  try {
    const bytes = Uint8Array.from(atob(value.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
    const body: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof body !== "object" || body === null) return null;
    const { status, errors } = body as Record<string, unknown>;
    const known: Record<string, string> = {};
    if (typeof errors === "object" && errors !== null) {
      for (const [field, text] of Object.entries(errors)) if (typeof text === "string") known[field] = text;
    }
    return { ...(typeof status === "string" ? { status } : {}), errors: known };
  } catch {
    return null;
  }
}

/** Takes the message another response left for this page; it is shown once. `?status=` of old links counts too. */
export function takeFlash(): Flash | null {
  const url = new URL(location.href);
  const status = url.searchParams.get("status");
  if (status) {
    url.searchParams.delete("status");
    history.replaceState(history.state, "", url.pathname + url.search + url.hash);
  }
  const flash = parseFlash(cookie("oa_flash"));
  if (flash) dropCookie("oa_flash");
  return flash ?? (status ? { status, errors: {} } : null);
}
