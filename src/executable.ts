import type { EngineFiles } from "../db/pglite";
import { unpackFiles, type WebFiles } from "./shell/files";

/** What `build.ts` tells the executable about itself, with the paths of the files inside it. */
export interface Executable {
  version: string;
  buildId: string;
  commit: string;
  target: string;
  files: { web: string; template: string; pgliteWasm: string; initdbWasm: string; pgliteData: string };
}

const unpacked = async (path: string): Promise<Uint8Array<ArrayBuffer>> =>
  new Uint8Array(Bun.zstdDecompressSync(await Bun.file(path).bytes()));

/** The web app's files. */
export const webFiles = async ({ files }: Executable): Promise<WebFiles> =>
  unpackFiles(await Bun.file(files.web).bytes());

/** The packed database that a first start begins with. */
export const databaseTemplate = async ({ files }: Executable): Promise<Uint8Array<ArrayBuffer>> =>
  new Uint8Array(await Bun.file(files.template).arrayBuffer());

/** The embedded database's engine, unpacked and compiled: about 25 ms. */
export async function engineFiles({ files }: Executable): Promise<EngineFiles> {
  const [pglite, initdb, data] = await Promise.all([
    unpacked(files.pgliteWasm),
    unpacked(files.initdbWasm),
    unpacked(files.pgliteData),
  ]);
  const [pgliteWasmModule, initdbWasmModule] = await Promise.all([
    WebAssembly.compile(pglite),
    WebAssembly.compile(initdb),
  ]);
  return { pgliteWasmModule, initdbWasmModule, fsBundle: new Blob([data]) };
}
