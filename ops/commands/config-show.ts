import { type Config, settings } from "../../src/config";
import { loadConfiguration } from "../../src/configuration";
import type { Setting } from "../../src/settings";
import type { Call } from "../command";
import { table } from "../print";

const text = (value: unknown): string | null =>
  value === null || value === undefined ? null : Array.isArray(value) ? value.join(",") : String(value);

export async function run({ options, io, json }: Call): Promise<void> {
  const { config: file, dataDir, all } = options as { config?: string; dataDir?: string; all?: boolean };
  const { config, sources } = loadConfiguration({ file, flags: dataDir ? { OA_DATA_DIR: dataDir } : {} });
  const values = Object.entries(settings as Record<string, Setting<unknown>>)
    .map(([name, setting]) => {
      const source = [name, ...(setting.also ?? [])].map((one) => sources[one]).find(Boolean) ?? "default";
      const value = text(config[name as keyof Config]);
      return {
        name,
        value: setting.secret ? null : value,
        source,
        secret: setting.secret === true,
        length: value?.length ?? 0,
      };
    })
    .filter(({ source }) => all || source !== "default");
  if (json) {
    return io.out(
      `${JSON.stringify({ values: values.map(({ name, value, source, secret }) => ({ name, value, source, secret })) })}\n`,
    );
  }
  if (!values.length) return io.out("Everything has its default; --all shows them.\n");
  const lines = values.map(({ name, value, source, secret, length }) => [
    name,
    secret ? (length ? `set (${length} characters)` : null) : value,
    source,
  ]);
  io.out(table(["name", "value", "source"], lines, io.columns));
}
