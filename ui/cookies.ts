/** A cookie's decoded value, or null. */
export function cookie(name: string): string | null {
  for (const part of document.cookie.split("; ")) {
    const at = part.indexOf("=");
    if (at < 0 || part.slice(0, at) !== name) continue;
    try {
      return decodeURIComponent(part.slice(at + 1));
    } catch {
      return null;
    }
  }
  return null;
}

const secure = () => (location.protocol === "https:" ? "; Secure" : "");

/** Writes a cookie for the whole site; `sameSite` is left out where the contract prints none. */
export function setCookie(name: string, value: string, maxAgeSeconds: number, sameSite: "Lax" | null = "Lax") {
  const site = sameSite ? `; SameSite=${sameSite}` : "";
  // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is not in every browser we serve
  document.cookie = `${name}=${encodeURIComponent(value)}; Path=/; Max-Age=${maxAgeSeconds}${site}${secure()}`;
}

export const dropCookie = (name: string) => setCookie(name, "", 0);
