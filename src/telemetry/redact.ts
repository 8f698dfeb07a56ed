/** One redaction for logs, errors and analytics (http-platform 3.10). */

const patterns: RegExp[] = [
  /oa_(?:at|rt|pat|ll|dc)_[0-9A-Za-z_-]{8,}/g,
  /\b\d+\|[A-Za-z0-9]{40,}/g,
  /Bearer \S+/gi,
  /\bre_[A-Za-z0-9_]{8,}/g,
  /\bya29\.\S+/g,
  /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*/g,
  /\bln(?:bc|tb|bcrt)[0-9a-z]{20,}/g,
  /(?<=preimage\W{0,4})[0-9a-f]{64}/gi,
];

const quick = /oa_|\||earer|re_|ya29|eyJ|ln[bt]|preimage/i;

/** Text with every secret cut to its first six characters. */
export function redact(text: string): string {
  if (!quick.test(text)) return text;
  return patterns.reduce((now, pattern) => now.replace(pattern, (found) => `${found.slice(0, 6)}…`), text);
}
