/** One redaction for logs, errors and analytics (http-platform 3.10). It works on text, so nothing is too deep for it. */

const secretHeader =
  "authorization|proxy-authorization|cookie|set-cookie|x-xsrf-token|x-csrf-token|svix-signature|x-oa-[a-z-]*signature|x-oa-smoke-secret";
const secretQuery = "code|state|token|signature|maintenance_bypass|key|secret|access_token|refresh_token|email";

/** Parts that are replaced whole: header values and values of queries. */
const masks: [RegExp, string][] = [
  // "cookie":"…", also inside text that is JSON itself: the value ends at a quote with as many backslashes.
  [new RegExp(`((\\\\*")(?:${secretHeader})\\2\\s*[:,]\\s*\\2)(?:(?!(?<!\\\\)\\2)[^\\n])*`, "gi"), "$1***"],
  [new RegExp(`(\\\\*"(?:${secretHeader})\\\\*"\\s*:\\s*\\[)[^\\]\\n]*`, "gi"), "$1"],
  // A line of a dump: Cookie: …
  [new RegExp(`((?:^|[\\s(]|\\\\n)(?:${secretHeader}):[ \\t]*)(?!\\\\*")[^\\n\\\\"]+`, "gi"), "$1***"],
  // Values of a query that failed, which a person may have sent: they run to the stack or to the end of the text.
  [/(\\nparams: )(?:\\.|[^"\\])*?(?=\\n\s+at |")/g, "$1***"],
  [new RegExp(`([?&](?:${secretQuery})=)[^&\\s"'<>#\\\\)]*`, "gi"), "$1***"],
];

/** What is cut to its first six characters. None reaches over a quote, so that a line of JSON stays one. */
const cuts: RegExp[] = [
  /oa_(?:at|rt|pat)_[0-9a-f]+/g,
  /oa_(?:ll|dc)_[0-9A-Za-z_-]{8,}/g,
  /\b\d+(?:\||%7C)[A-Za-z0-9]{40,}/gi,
  /Bearer [^\s"\\]+/gi,
  /\bre_[A-Za-z0-9_]{8,}/g,
  /\bya29\.[^\s"\\]+/g,
  /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*/g,
  /\bln(?:bcrt|bc|tb)[0-9a-z]{20,}/gi,
  /(?<=preimage\W{0,8})[0-9a-f]{64}/gi,
];

/** Most lines hold nothing of the kind, and one look tells. */
const quick =
  /oa_|nparams: |\||%7c|earer|re_|ya29|eyJ|ln[bt]|preimage|authorization|cookie|[cx]s[rf]+-token|signature|secret|[?&](?:code|state|token|maintenance|key|access|refresh|email)/i;

/** Text with every secret cut to its first six characters; secret headers and values of queries become `***`. */
export function redact(text: string): string {
  if (!quick.test(text)) return text;
  let now = text;
  for (const [pattern, by] of masks) now = now.replace(pattern, by);
  for (const pattern of cuts) now = now.replace(pattern, (found) => `${found.slice(0, 6)}…`);
  return now;
}
