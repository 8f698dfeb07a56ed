/** What people download: the executable, and the first load of the web app as brotli. */
import { statSync } from "node:fs";
import { executable } from "../support/executable";
import { startProduct } from "../support/product";
import type { Figure } from "./khala";

const most = (name: string, ours: number, limit: number): Figure => ({
  name,
  ours,
  yardstick: null,
  ratio: null,
  must: `≤ ${limit}`,
  met: ours <= limit,
});

/** Paths of the scripts and styles that a page loads at once: what it names, and what those import statically. */
async function firstLoad(url: string): Promise<Set<string>> {
  const page = await (await fetch(url)).text();
  const found = new Set(
    [...page.matchAll(/(?:src|href)="(\/assets\/[^"]+\.(?:js|css))"/g)].map(([, path]) => path as string),
  );
  for (const path of found) {
    const text = await (await fetch(url + path)).text();
    for (const [, name] of text.matchAll(/(?:\bfrom|\bimport)\s*"(\.{0,2}\/[^"]+\.js)"/g))
      found.add(new URL(name as string, url + path).pathname);
  }
  return found;
}

/** Gives each figure as soon as it is measured. */
export async function* benchSize(): AsyncGenerator<Figure> {
  yield most("executable, MB", statSync(executable).size / 1e6, 150);
  const product = await startProduct();
  try {
    let bytes = 0;
    for (const path of await firstLoad(product.url)) {
      const answer = await fetch(product.url + path, { headers: { "accept-encoding": "br" }, decompress: false });
      bytes += (await answer.arrayBuffer()).byteLength;
    }
    yield most("first load, script and style as brotli, kB", bytes / 1000, 60);
  } finally {
    await product.close();
  }
}
