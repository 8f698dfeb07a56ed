/** How one environment variable is read; the list of them is `config.ts`. Rules: auth.md 5, ops-data 2.4. */
export interface Setting<T> {
  kind: "text" | "maybe" | "flag" | "count" | "maybeCount" | "list";
  fallback: T;
  /** Names read, in order, when the first is unset. */
  also?: string[];
  min?: number;
  /** May come from `X_FILE`; never printed. */
  secret?: boolean;
  /** Present but blank is kept as "" instead of counting as unset. */
  keepBlank?: boolean;
}

/** The configuration cannot be used: one line a problem. Exit code 78. */
export class ConfigError extends Error {
  constructor(readonly problems: string[]) {
    super(problems.join("\n"));
    this.name = "ConfigError";
  }
}

const yes = new Set(["1", "true", "yes", "on"]);
const no = new Set(["0", "false", "no", "off", ""]);

type Parsed = { value: unknown } | { problem: string };

/** Reads one setting; `problem` is a sentence that names the variable. */
export function parseSetting(
  name: string,
  setting: Setting<unknown>,
  values: Record<string, string | undefined>,
): Parsed {
  const found = [name, ...(setting.also ?? [])].find((n) => values[n] !== undefined);
  if (found === undefined) return { value: setting.fallback };
  const raw = (values[found] as string).trim();
  if (setting.kind === "flag") {
    const word = raw.toLowerCase();
    if (yes.has(word)) return { value: true };
    if (no.has(word)) return { value: false };
    return { problem: `${found} must be true or false, not '${raw}'` };
  }
  if (raw === "" && !setting.keepBlank) return { value: setting.fallback };
  if (setting.kind === "count" || setting.kind === "maybeCount") {
    const number = Number(raw);
    const min = setting.min ?? 1;
    if (!/^[+-]?\d+$/.test(raw) || !Number.isSafeInteger(number)) {
      return { problem: `${found} must be a whole number, not '${raw}'` };
    }
    if (number < min) return { problem: `${found} must be at least ${min}, not ${raw}` };
    return { value: number };
  }
  if (setting.kind === "list") {
    const items = raw.split(",").map((item) => item.trim());
    return { value: items.filter(Boolean) };
  }
  return { value: raw };
}
