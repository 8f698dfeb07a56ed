/**
 * Builds the product: `bun build.ts [--target linux-x64|linux-arm64|darwin-arm64] [--outfile dist/openagents]`.
 * The result is one executable that reads nothing of this tree: web app, database engine, baked database, migrations and
 * the API reference are inside.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import "./db/driver-patch.mjs";
import { bakeEmpty, bakeTemplate, packTemplate } from "./db/bake";
import { jobsSchema } from "./db/jobs-schema";
import { migrations } from "./db/migrations";
import manifest from "./package.json";
import { packFiles, unpackFiles, type WebFile } from "./src/shell/files";
import { referencePage } from "./src/shell/reference-page";
import { ROLLBACK_MARK } from "./src/shell/start-files";
import { withVariants } from "./src/shell/variants";
import { bundleUi } from "./ui/bundle";

const root = import.meta.dir;
const stage = join(root, "dist/stage");
const cache = join(root, ".cache");

const { values } = parseArgs({
  options: { target: { type: "string" }, outfile: { type: "string", default: "dist/openagents" } },
});

const targets: Record<string, Bun.Build.CompileTarget> = {
  "linux-x64": "bun-linux-x64",
  "linux-arm64": "bun-linux-arm64",
  "darwin-arm64": "bun-darwin-arm64",
};

const git = (...args: string[]): string => {
  try {
    return execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "";
  }
};

/** `YYYYMMDDTHHMMSSZ` of the commit, or `OA_BUILD_ID` (http-platform 3.7). */
function buildId(): string {
  if (process.env.OA_BUILD_ID) return process.env.OA_BUILD_ID;
  const seconds = Number(git("log", "-1", "--format=%ct")) || 0;
  return `${new Date(seconds * 1000).toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`;
}

/** Makes a thing once for what it is made of; a later build takes it from `.cache/`. */
async function cached(
  name: string,
  ingredients: unknown,
  make: () => Promise<Uint8Array>,
): Promise<Uint8Array<ArrayBuffer>> {
  const key = new Bun.CryptoHasher("sha256").update(JSON.stringify(ingredients)).digest("hex").slice(0, 16);
  const file = join(cache, `${name}-${key}`);
  if (!existsSync(file)) {
    mkdirSync(cache, { recursive: true });
    writeFileSync(`${file}.part`, await make());
    execFileSync("mv", [`${file}.part`, file]);
  }
  return new Uint8Array(readFileSync(file));
}

const versionOf = (name: string): string =>
  (JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8")) as { version: string }).version;

async function web(id: string): Promise<Uint8Array> {
  const bundle = await bundleUi({ buildId: id, rollbackCaches: JSON.parse(ROLLBACK_MARK) as string[] });
  const files = new Map<string, WebFile>();
  for (const { path, bytes, hashed } of bundle.files) files.set(`/${path}`, withVariants(`/${path}`, bytes, hashed));
  for (const file of await reference()) files.set(file.path, file);
  return packFiles({ facts: { buildId: id, entry: bundle.entry, pinned: bundle.pinned }, files });
}

/** The API reference: swagger-ui's own files under hashed names, and the page that names them. */
async function reference(): Promise<WebFile[]> {
  const folder = join(root, "node_modules/swagger-ui-dist");
  const [made] = (
    await Bun.build({ entrypoints: [join(root, "ui/reference.ts")], format: "iife", minify: true, target: "browser" })
  ).outputs;
  if (!made) throw new Error("ui/reference.ts made no output");
  const parts: [string, Uint8Array][] = [
    ["swagger-ui.css", readFileSync(join(folder, "swagger-ui.css"))],
    ["swagger-ui-bundle.js", readFileSync(join(folder, "swagger-ui-bundle.js"))],
    ["reference.js", new Uint8Array(await made.arrayBuffer())],
  ];
  const hashed = parts.map(([name, bytes]): [string, Uint8Array] => {
    const dot = name.lastIndexOf(".");
    const hash = new Bun.CryptoHasher("sha256").update(bytes).digest("hex").slice(0, 10);
    return [`/assets/${name.slice(0, dot)}-${hash}${name.slice(dot)}`, bytes];
  });
  const names = hashed.map(([path]) => path);
  const facts = { buildId: "", entry: { html: "index.html", js: "", css: "" } as const, pinned: [] };
  const packed = await cached("reference.bin", names, async () =>
    packFiles({ facts, files: new Map(hashed.map(([path, bytes]) => [path, withVariants(path, bytes, true)])) }),
  );
  const [css = "", bundle = "", script = ""] = names;
  const page = withVariants("/api/docs.html", Buffer.from(referencePage({ css, bundle, script })), false);
  return [...unpackFiles(packed).files.values(), { ...page, path: "/api/docs" }];
}

/** The database engine's files, each compressed: 15.6 MB become 4. */
async function engine(): Promise<Record<string, Uint8Array>> {
  const folder = join(root, "node_modules/@electric-sql/pglite/dist");
  const version = versionOf("@electric-sql/pglite");
  const parts: Record<string, Uint8Array> = {};
  for (const name of ["pglite.wasm", "pglite.data"]) {
    parts[name] = await cached(`engine-${name}.zst`, version, async () =>
      Bun.zstdCompressSync(readFileSync(join(folder, name)), { level: 19 }),
    );
  }
  return parts;
}

async function template(): Promise<Uint8Array> {
  const engineVersion = versionOf("@electric-sql/pglite");
  const empty = () => cached("empty.tar", engineVersion, bakeEmpty);
  return cached("template.zst", [engineVersion, migrations, jobsSchema()], async () =>
    packTemplate(await bakeTemplate(await empty())),
  );
}

const id = buildId();
rmSync(stage, { recursive: true, force: true });
mkdirSync(stage, { recursive: true });
const put = (name: string, bytes: Uint8Array) => writeFileSync(join(stage, name), bytes);

put("web.bin", await web(id));
put("template.zst", await template());
for (const [name, bytes] of Object.entries(await engine())) put(`${name}.zst`, bytes);

const facts = {
  version: manifest.version,
  buildId: id,
  commit: git("rev-parse", "HEAD"),
  target: values.target ?? `${process.platform}-${process.arch}`,
};
writeFileSync(
  join(stage, "entry.ts"),
  `import web from "./web.bin" with { type: "file" };
import template from "./template.zst" with { type: "file" };
import pgliteWasm from "./pglite.wasm.zst" with { type: "file" };
import pgliteData from "./pglite.data.zst" with { type: "file" };
import { main } from "../../src/main";
void main({ ...${JSON.stringify(facts)}, files: { web, template, pgliteWasm, pgliteData } });
`,
);

const outfile = resolve(root, values.outfile);
const compileTarget = values.target ? targets[values.target] : undefined;
if (values.target && !compileTarget)
  throw new Error(`unknown target '${values.target}': one of ${Object.keys(targets).join(", ")}`);
const made = await Bun.build({
  entrypoints: [join(stage, "entry.ts")],
  minify: true,
  bytecode: true,
  format: "esm",
  sourcemap: "none",
  target: "bun",
  define: { "process.env.NODE_ENV": '"production"' },
  compile: {
    outfile,
    ...(compileTarget ? { target: compileTarget } : {}),
    autoloadDotenv: false,
    autoloadBunfig: false,
    autoloadTsconfig: false,
    autoloadPackageJson: false,
  } as Bun.CompileBuildOptions,
});
if (!made.success) throw new AggregateError(made.logs, "the executable does not build");
console.log(`${values.outfile}  ${(statSync(outfile).size / 1e6).toFixed(1)} MB  build ${id}`);
