/** JSON as the rows of a tree (web-ui 16.1): pure, and only as much work as there are rows to see. */
export type Step = string | number;
export type Kind = "object" | "array" | "text" | "number" | "boolean" | "null";

export interface Row {
  /** JSON pointer; unique in the tree. */
  id: string;
  steps: Step[];
  value: unknown;
  kind: Kind;
  /** Entries of a container, characters of a text, else 0. */
  size: number;
  /** It can be opened: a container with entries, a text too long for its line. */
  folds: boolean;
  open: boolean;
}

/** Containers above this depth are open at first. */
const OPEN_DEPTH = 2;
export const LINE = 120;

export function kindOf(value: unknown): Kind {
  if (Array.isArray(value)) return "array";
  if (value === null || value === undefined) return "null";
  switch (typeof value) {
    case "object":
      return "object";
    case "number":
    case "bigint":
      return "number";
    case "boolean":
      return "boolean";
    default:
      return "text";
  }
}

export const pointer = (steps: Step[]): string =>
  steps.map((step) => `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");

/** The path as a program writes it: `$.items[3]["odd key"]`. */
export const pathOf = (steps: Step[]): string =>
  `$${steps
    .map((step) => {
      if (typeof step === "number") return `[${step}]`;
      return /^[A-Za-z_$][\w$]*$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
    })
    .join("")}`;

function* entriesOf(value: unknown): Generator<[Step, unknown]> {
  if (Array.isArray(value)) yield* value.entries();
  else if (typeof value === "object" && value !== null) yield* Object.entries(value);
}

const sizeOf = (value: unknown): number => {
  if (typeof value === "string") return value.length;
  if (Array.isArray(value)) return value.length;
  return typeof value === "object" && value !== null ? Object.keys(value).length : 0;
};

/**
 * The rows that are to be seen, in order, at most `most` of them. `chosen` holds what somebody opened or closed by its id;
 * without it containers are open above depth two.
 */
export function rowsOf(
  value: unknown,
  chosen: ReadonlyMap<string, boolean>,
  most: number,
): { rows: Row[]; more: boolean } {
  const rows: Row[] = [];
  let more = false;
  const visit = (one: unknown, steps: Step[], id: string) => {
    if (rows.length >= most) {
      more = true;
      return;
    }
    const kind = kindOf(one);
    const size = sizeOf(one);
    const container = kind === "object" || kind === "array";
    const folds = container ? size > 0 : kind === "text" && (size > LINE || /\n/.test(one as string));
    const open = folds && (chosen.get(id) ?? (container && steps.length < OPEN_DEPTH));
    rows.push({ id, steps, value: one, kind, size, folds, open });
    if (!open || !container) return;
    for (const [step, child] of entriesOf(one)) {
      visit(child, [...steps, step], id + pointer([step]));
      if (more) return;
    }
  };
  visit(value, [], "");
  return { rows, more };
}

/** Where `query` occurs in a name or a plain value, in order, whatever its case; at most `most` places. */
export function findIn(value: unknown, query: string, most = 1000): Step[][] {
  const wanted = query.toLowerCase();
  const found: Step[][] = [];
  if (!wanted) return found;
  const holds = (text: unknown) => String(text).toLowerCase().includes(wanted);
  const visit = (one: unknown, steps: Step[]) => {
    if (found.length >= most) return;
    const name = steps.at(-1);
    const plain = typeof one !== "object" || one === null;
    if ((typeof name === "string" && holds(name)) || (plain && holds(one))) found.push(steps);
    for (const [step, child] of entriesOf(one)) visit(child, [...steps, step]);
  };
  visit(value, []);
  return found;
}

/** What has to be open so that a place is seen. */
export const ancestors = (steps: Step[]): string[] => steps.map((_, n) => pointer(steps.slice(0, n)));
