import type { ManifestRow } from "../src/http/manifest";
import type { Command } from "./command";

/** One manifest as the baseline wrote it (ops-data 2.10): a count and its rows. */
export interface ManifestFile {
  name: string;
  path: string;
  count: number;
  text: string;
}

/** `2026-02-22T07:51:45.472946Z`: the baseline printed six digits. */
const stamp = (at: Date): string => at.toISOString().replace("Z", "000Z");

const document = (content: object): string => `${JSON.stringify(content, null, 4)}\n`;

function middleware({ path, auth, throttle }: ManifestRow): string[] {
  const words = [path.startsWith("/api/") ? "api" : "web"];
  if (auth.startsWith("user")) words.push("auth");
  else if (auth !== "public") words.push(auth);
  if (throttle) {
    const { limiter, limit, seconds } = throttle;
    words.push(`throttle:${[limiter, limit, seconds].filter((part) => part !== undefined).join(",")}`);
  }
  return words;
}

const routeEntry = (row: ManifestRow) => ({
  method: row.method,
  uri: row.path,
  name: null,
  action: `${row.domain}#${row.operationId ?? row.path}`,
  middleware: middleware(row),
});

const commandEntry = ({ name, summary, hidden, aliasOf }: Command) => ({
  name,
  description: summary,
  hidden: hidden === true,
  class: `ops/commands/${(aliasOf ?? name).replace(/[: ]/g, "-")}.ts`,
});

/** The four manifests and their index, from what is composed: `rows` sorted, `pages` the keys of the web app's pages. */
export function manifestFiles(rows: ManifestRow[], pages: readonly string[], commands: Command[], at: Date) {
  const generated_at = stamp(at);
  const file = (name: string, key: string, entries: unknown[]): ManifestFile => ({
    name,
    path: `${name}.json`,
    count: entries.length,
    text: document({ generated_at, count: entries.length, [key]: entries }),
  });
  const isApi = ({ path }: ManifestRow) => path.startsWith("/api/");
  const byName = (a: Command, b: Command) => (a.name < b.name ? -1 : 1);
  const entries = [...new Set(pages)].map((page) => `ui/pages/${page}`).sort();
  const files = [
    file("api-routes", "routes", rows.filter(isApi).map(routeEntry)),
    file("web-routes", "routes", rows.filter((row) => !isApi(row)).map(routeEntry)),
    file("page-entries", "entries", entries),
    file("artisan-commands", "commands", commands.toSorted(byName).map(commandEntry)),
  ];
  const manifests = files.map(({ name, path, count }) => ({ name, path, count }));
  return { files, index: { path: "manifest-index.json", text: document({ generated_at, manifests }) }, manifests };
}
