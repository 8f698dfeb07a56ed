/** What the form of a new token accepts (auth 2.6): pure, checked before a request is made. */
export const LIFETIMES = [
  { value: "7", text: "7 days" },
  { value: "30", text: "30 days" },
  { value: "90", text: "90 days" },
  { value: "365", text: "1 year" },
  { value: "date", text: "A date…" },
  { value: "never", text: "No expiry" },
] as const;
export type Lifetime = (typeof LIFETIMES)[number]["value"];

export interface Wanted {
  name: string;
  lifetime: Lifetime;
  /** `YYYY-MM-DD`, when the lifetime is a date. */
  date: string;
  /** Full access, or only what `abilities` lists. */
  full: boolean;
  abilities: string;
}

const MOST = 100;
const DAY_MS = 86_400_000;
const length = (text: string) => [...text].length;

/** Abilities as they were typed: by comma, blank or line, each once. */
export const abilitiesOf = (typed: string): string[] => [...new Set(typed.split(/[\s,]+/).filter(Boolean))];

/** The body of the request, or what is wrong with each field. */
export function tokenRequest(
  wanted: Wanted,
  now: number,
):
  | { body: { name: string; abilities: string[]; expires_at: string | null }; problems?: undefined }
  | { body?: undefined; problems: Record<string, string> } {
  const problems: Record<string, string> = {};
  const name = wanted.name.trim();
  if (name === "") problems.name = "The name field is required.";
  else if (length(name) > MOST) problems.name = `The name field must not be greater than ${MOST} characters.`;

  const abilities = wanted.full ? ["*"] : abilitiesOf(wanted.abilities);
  // The server reads an empty list as everything.
  if (abilities.length === 0) problems.abilities = "Name at least one ability.";
  else if (abilities.some((one) => length(one) > MOST))
    problems.abilities = `An ability must not be greater than ${MOST} characters.`;

  const expires = expiry(wanted, now);
  if (expires === undefined) problems.date = "Choose a date in the future.";
  if (Object.keys(problems).length > 0) return { problems };
  return { body: { name, abilities, expires_at: expires === undefined ? null : expires } };
}

/** When it ends, null for never, undefined when the date cannot be. A date counts to its last second, local time. */
function expiry({ lifetime, date }: Wanted, now: number): string | null | undefined {
  if (lifetime === "never") return null;
  if (lifetime !== "date") return whole(now + Number(lifetime) * DAY_MS);
  if (!/^\d{4}-\d{2}-\d{2}$/.test(date)) return undefined;
  const end = Date.parse(`${date}T23:59:59`);
  return Number.isFinite(end) && end > now ? whole(end) : undefined;
}

const whole = (at: number): string => new Date(Math.floor(at / 1000) * 1000).toISOString().replace(".000Z", "Z");

/** Tomorrow as a date input writes it, local time. */
export function tomorrow(now: number): string {
  const day = new Date(now + DAY_MS);
  const two = (n: number) => String(n).padStart(2, "0");
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}
