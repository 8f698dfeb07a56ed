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
  new Uint8Array(await Bun.zstdDecompress(await Bun.file(path).bytes()));

/** The web app's files. */
export const webFiles = async ({ files }: Executable): Promise<WebFiles> =>
  unpackFiles(await Bun.file(files.web).bytes());

/** The packed database that a first start begins with. */
export const databaseTemplate = async ({ files }: Executable): Promise<Uint8Array<ArrayBuffer>> =>
  new Uint8Array(await Bun.file(files.template).arrayBuffer());

/** The embedded database's engine, unpacked and compiled beside the main thread; both processors have work meanwhile. */
export async function engineFiles({ files }: Executable): Promise<EngineFiles> {
  const module = async (path: string) => WebAssembly.compile(await unpacked(path));
  const [pgliteWasmModule, initdbWasmModule, data] = await Promise.all([
    module(files.pgliteWasm),
    module(files.initdbWasm),
    unpacked(files.pgliteData),
  ]);
  return { pgliteWasmModule, initdbWasmModule, fsBundle: new Blob([data]) };
}
