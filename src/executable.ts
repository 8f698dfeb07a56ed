import type { EngineFiles } from "../db/pglite";
import { unpackFiles, type WebFiles } from "./shell/files";

/** What `build.ts` tells the executable about itself, with the paths of the files inside it. */
export interface Executable {
  version: string;
  buildId: string;
  commit: string;
  target: string;
  files: { web: string; template: string; pgliteWasm: string; pgliteData: string };
}

const unpacked = async (path: string): Promise<Buffer<ArrayBuffer>> =>
  Bun.zstdDecompress(await Bun.file(path).bytes()) as Promise<Buffer<ArrayBuffer>>;

/** The web app's files. */
export const webFiles = async ({ files }: Executable): Promise<WebFiles> =>
  unpackFiles(await Bun.file(files.web).bytes());

/** The packed database that a first start begins with. */
export const databaseTemplate = async ({ files }: Executable): Promise<Uint8Array<ArrayBuffer>> =>
  new Uint8Array(await Bun.file(files.template).arrayBuffer());

/** A module with nothing in it: `initdb` never runs, since a new database is unpacked. */
const nothing = () => new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));

const engines = new WeakMap<Executable, Promise<EngineFiles>>();

/** The embedded database's engine, unpacked and compiled beside the main thread, once. */
export function engineFiles(executable: Executable): Promise<EngineFiles> {
  const known = engines.get(executable);
  if (known) return known;
  const made = (async (): Promise<EngineFiles> => {
    const { pgliteWasm, pgliteData } = executable.files;
    const [pgliteWasmModule, data] = await Promise.all([
      unpacked(pgliteWasm).then((bytes) => WebAssembly.compile(bytes)),
      unpacked(pgliteData),
    ]);
    // PGlite asks for a Blob and for nothing of it but this; a real one would copy the bytes twice.
    const fsBundle = { arrayBuffer: async () => wholeBuffer(data) } as Blob;
    return { pgliteWasmModule, initdbWasmModule: nothing(), fsBundle };
  })();
  engines.set(executable, made);
  return made;
}

const wholeBuffer = ({ buffer, byteOffset, byteLength }: Buffer<ArrayBuffer>): ArrayBuffer =>
  byteLength === buffer.byteLength ? buffer : buffer.slice(byteOffset, byteOffset + byteLength);
