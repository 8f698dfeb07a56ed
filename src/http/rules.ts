/** The rules of http-platform 3.1 that a TypeBox schema stands for, with their texts. */

export type Kind = "string" | "integer" | "number" | "boolean" | "array" | "object" | "any";

export interface Failure {
  rule: string;
  text: string;
}

/** Size of a value: a number's value, an array's count, else the code points of its text (http-platform 3.1). */
export function sizeOf(value: unknown, numeric: boolean): number {
  if (numeric && isNumeric(value)) return Number(value);
  if (Array.isArray(value)) return value.length;
  if (typeof value === "object" && value !== null) return Object.keys(value).length;
  return [...(value === true ? "1" : value === false ? "" : String(value ?? ""))].length;
}

/** The text of a value; null for null, lists and objects, which have none. */
export const textOf = (value: unknown): string | null => (typeof value === "object" ? null : String(value));

export const isNumeric = (value: unknown): boolean =>
  typeof value === "number" || (typeof value === "string" && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value));

const int64 = 9223372036854775807n;

/** Integers as the baseline's validator takes them: also floats without fraction and digit strings of 64 bit. */
export function isInteger(value: unknown): boolean {
  if (typeof value === "number") return Number.isSafeInteger(value);
  if (typeof value !== "string" || !/^[+-]?(0|[1-9]\d*)$/.test(value)) return false;
  const number = BigInt(value.replace(/^\+/, ""));
  return number <= int64 && number >= -int64 - 1n;
}

export const isBoolean = (value: unknown): boolean =>
  value === true || value === false || value === 1 || value === 0 || value === "1" || value === "0";

export const asBoolean = (value: unknown): boolean => value === true || value === 1 || value === "1";

export const isBlank = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === "" ||
  (typeof value === "object" && Object.keys(value as object).length === 0);

const typeFailures: Partial<Record<Kind, [rule: string, passes: (value: unknown) => boolean, text: string]>> = {
  string: ["string", (value) => typeof value === "string", "must be a string."],
  integer: ["integer", isInteger, "must be an integer."],
  number: ["number", isNumeric, "must be a number."],
  boolean: ["boolean", isBoolean, "must be true or false."],
  array: ["array", (value) => typeof value === "object" && value !== null, "must be an array."],
  object: ["array", (value) => typeof value === "object" && value !== null, "must be an array."],
};

/** The failing type rule of a value, if any. */
export function typeFailure(kind: Kind, value: unknown): Failure | null {
  const check = typeFailures[kind];
  return check && !check[1](value) ? { rule: check[0], text: check[2] } : null;
}

const unit = (kind: Kind, isArray: boolean) =>
  kind === "integer" || kind === "number" ? "number" : isArray || kind === "array" ? "array" : "string";

/** Failing `min`/`max` of a value, in that order. */
export function sizeFailures(kind: Kind, value: unknown, min: number | undefined, max: number | undefined): Failure[] {
  const numeric = kind === "integer" || kind === "number";
  const size = sizeOf(value, numeric);
  const form = numeric
    ? isNumeric(value)
      ? "number"
      : unit("string", Array.isArray(value))
    : unit(kind, Array.isArray(value));
  const failures: Failure[] = [];
  if (min !== undefined && size < min) {
    const texts = {
      number: `must be at least ${min}.`,
      array: `must have at least ${min} items.`,
      string: `must be at least ${min} characters.`,
    };
    failures.push({ rule: "min", text: texts[form] });
  }
  if (max !== undefined && size > max) {
    const texts = {
      number: `must not be greater than ${max}.`,
      array: `must not have more than ${max} items.`,
      string: `must not be greater than ${max} characters.`,
    };
    failures.push({ rule: "max", text: texts[form] });
  }
  return failures;
}

const emailLocal = /^(?:[\p{L}\p{N}!#$%&'*+/=?^_`{|}~-]+(?:\.[\p{L}\p{N}!#$%&'*+/=?^_`{|}~-]+)*|"(?:[^"\\]|\\.)*")$/u;
const emailLabel = /^(?!-)[\p{L}\p{N}-]{1,63}(?<!-)$/u;

/** RFC e-mail syntax without DNS; a comment beside the local part or domain is allowed (vectors of auth 2.0). */
export function isEmail(value: string): boolean {
  const at = value.startsWith('"') ? value.indexOf('"@', 1) + 1 : value.indexOf("@");
  if (at < 1) return false;
  const local = value.slice(0, at).replace(/^\([^()]*\)|\([^()]*\)$/g, "");
  const domain = value.slice(at + 1).replace(/^\([^()]*\)|\([^()]*\)$/g, "");
  if (!emailLocal.test(local)) return false;
  if (/^\[(\d{1,3}\.){3}\d{1,3}\]$/.test(domain) || /^\[IPv6:[0-9a-f:.]+\]$/i.test(domain)) return true;
  return domain.length <= 253 && domain.split(".").every((label) => emailLabel.test(label));
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const dateForm = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/i;

/** RFC 3339 date-time, `YYYY-MM-DD` or `YYYY-MM-DD HH:MM[:SS]` of a day that exists. */
export function isDate(value: string): boolean {
  if (!dateForm.test(value)) return false;
  const [year, month, day] = value.slice(0, 10).split("-").map(Number) as [number, number, number];
  const date = new Date(Date.UTC(year, month - 1, day));
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return false;
  return !Number.isNaN(Date.parse(value.replace(" ", "T")));
}

const formats: Record<string, [passes: (value: string) => boolean, text: string]> = {
  email: [isEmail, "must be a valid email address."],
  uri: [(value) => URL.canParse(value) && new URL(value).host !== "", "must be a valid URL."],
  uuid: [(value) => uuid.test(value), "must be a valid UUID."],
  date: [isDate, "must be a valid date."],
  "date-time": [isDate, "must be a valid date."],
};

/** The failing `format`, if any. A value that is no text fails as well. */
export function formatFailure(format: string, value: unknown): Failure | null {
  const check = formats[format];
  return check && !(typeof value === "string" && check[0](value)) ? { rule: format, text: check[1] } : null;
}
