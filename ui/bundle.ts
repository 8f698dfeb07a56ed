import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

/** One file of the web app as it is served. `hashed` names never change their content (http-platform 3.6). */
export interface UiFile {
  /** Path below the site's root, without leading slash: `index.html`, `assets/main-0a1b2c3d.js`, `sw.js`. */
  path: string;
  bytes: Uint8Array;
  hashed: boolean;
}

export interface UiBundle {
  files: UiFile[];
  /** What `manifest.json` names (http-platform 2.9). */
  entry: { html: "index.html"; js: string; css: string };
  /** Paths with leading slash that the service worker keeps: the shell and what the first route needs. */
  pinned: string[];
}

const HERE = import.meta.dir;
const FONT = fileURLToPath(import.meta.resolve("inter-ui/variable-latin/InterVariable-subset.woff2"));

const hash = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex").slice(0, 10);
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

async function build(options: Partial<Parameters<typeof Bun.build>[0]> & { entrypoints: string[] }) {
  const made = await Bun.build({
    target: "browser",
    minify: true,
    sourcemap: "none",
    define: { "process.env.NODE_ENV": '"production"' },
    external: ["/assets/*"],
    ...options,
  } as Parameters<typeof Bun.build>[0]);
  if (!made.success) throw new AggregateError(made.logs, "The web app does not build");
  return made.outputs;
}

/** Bundles one classic script (theme, service worker). */
async function script(file: string): Promise<string> {
  const [output] = await build({ entrypoints: [join(HERE, file)], format: "iife" });
  if (!output) throw new Error(`${file} made no output`);
  return await output.text();
}

/**
 * Builds the web app: script and style with hashed names, lazy chunks, the font, the shell and the service worker with the
 * build's id in them. The same sources give the same bytes, save the build id.
 */
export async function bundleUi({
  buildId,
  rollbackCaches = [],
}: {
  buildId: string;
  rollbackCaches?: string[];
}): Promise<UiBundle> {
  const files: UiFile[] = [];
  const add = (path: string, bytes: Uint8Array, hashed: boolean) => files.push({ path, bytes, hashed });

  const font = await Bun.file(FONT).bytes();
  const fontPath = `assets/inter-${hash(font)}.woff2`;
  add(fontPath, font, true);

  const theme = utf8(await script("theme.ts"));
  const themePath = `assets/theme-${hash(theme)}.js`;
  add(themePath, theme, true);

  const outputs = await build({
    entrypoints: [join(HERE, "main.tsx")],
    splitting: true,
    naming: { entry: "[name]-[hash].[ext]", chunk: "[name]-[hash].[ext]", asset: "[name]-[hash].[ext]" },
    publicPath: "/assets/",
  });
  let js = "";
  let style = "";
  for (const output of outputs) {
    const name = basename(output.path);
    if (name.endsWith(".css")) {
      // The entry's sheet has the rules of the lazy chunks too; theirs would say everything twice.
      if (name.startsWith("main-")) style = await output.text();
      continue;
    }
    const path = `assets/${name}`;
    if (output.kind === "entry-point") js = path;
    add(path, new Uint8Array(await output.arrayBuffer()), true);
  }
  if (!js || !style) throw new Error("The web app's entry is incomplete");

  const sheet = utf8(style.replaceAll("/assets/inter.woff2", `/${fontPath}`));
  const css = `assets/main-${hash(sheet)}.css`;
  add(css, sheet, true);

  const shell = (await Bun.file(join(HERE, "index.html")).text())
    .replace("/assets/theme.js", `/${themePath}`)
    .replace("/assets/inter.woff2", `/${fontPath}`)
    .replace("/assets/main.css", `/${css}`)
    .replace("/assets/main.js", `/${js}`)
    .replace('<meta name="oa-build" content="dev">', `<meta name="oa-build" content="${buildId}">`)
    .replace(/>\s+</g, "><");
  add("index.html", utf8(shell), false);

  const pinned = ["/index.html", ...[themePath, fontPath, css, js].map((path) => `/${path}`)];
  const worker = (await script("sw.ts"))
    .replaceAll("__OA_BUILD_ID__", buildId)
    .replaceAll('"__OA_PINNED__"', JSON.stringify(pinned))
    .replaceAll('"__OA_ROLLBACK_CACHES__"', JSON.stringify(rollbackCaches));
  add("sw.js", utf8(worker), false);

  for (const name of readdirSync(join(HERE, "public")).sort()) {
    add(name, await Bun.file(join(HERE, "public", name)).bytes(), false);
  }
  return { files, entry: { html: "index.html", js, css }, pinned };
}
