/** How well `query` fits `text`: higher is better, null is no fit. `hits` are the matched positions in `text`. */
export function fuzzy(query: string, text: string): { score: number; hits: number[] } | null {
  const wanted = query.toLowerCase().replace(/\s+/g, "");
  if (!wanted) return { score: 0, hits: [] };
  const lower = text.toLowerCase();

  const whole = lower.indexOf(query.toLowerCase().trim());
  if (whole >= 0) {
    const hits = Array.from({ length: query.trim().length }, (_, n) => whole + n);
    return { score: (starts(lower, whole) ? 100 : hits.length * 6) - whole / 10 - text.length / 100, hits };
  }

  const hits: number[] = [];
  let score = 0;
  let from = 0;
  for (const char of wanted) {
    // the start of a word is preferred to the next occurrence: "nc" is New Chat, not ca*nc*el
    let at = -1;
    for (let n = from; n < lower.length; n++) {
      if (lower[n] !== char) continue;
      if (at < 0) at = n;
      if (starts(lower, n)) {
        at = n;
        break;
      }
      if (hits.at(-1) === n - 1) {
        at = n;
        break;
      }
    }
    if (at < 0) return null;
    score += starts(lower, at) ? 8 : hits.at(-1) === at - 1 ? 5 : 1;
    hits.push(at);
    from = at + 1;
  }
  return { score: score - text.length / 100, hits };
}

const starts = (text: string, at: number): boolean => at === 0 || /[^\p{L}\p{N}]/u.test(text[at - 1] ?? "");

/** Best first; equal scores keep their order. Without a query everything, in order. */
export function rank<T extends { text: string; words?: string }>(
  query: string,
  list: T[],
): { item: T; hits: number[] }[] {
  if (!query.trim()) return list.map((item) => ({ item, hits: [] }));
  return list
    .map((item, n) => {
      const own = fuzzy(query, item.text);
      const other = item.words ? fuzzy(query, item.words) : null;
      const best = own ?? (other ? { score: other.score - 60, hits: [] } : null);
      return best && { item, hits: best.hits, score: best.score, n };
    })
    .filter((one) => one !== null)
    .sort((a, b) => b.score - a.score || a.n - b.n)
    .map(({ item, hits }) => ({ item, hits }));
}
