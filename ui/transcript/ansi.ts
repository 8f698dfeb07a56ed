/** Terminal output as text with classes: colours and weights of SGR sequences; everything else a terminal obeys is dropped. */
export interface Span {
  text: string;
  /** Class names, "" for plain text. */
  style: string;
}

interface Pen {
  fg: string;
  bg: string;
  bold: boolean;
  dim: boolean;
  italic: boolean;
  underline: boolean;
  reverse: boolean;
}

const plainPen = (): Pen => ({
  fg: "",
  bg: "",
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  reverse: false,
});

const names = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

const classes = (pen: Pen): string =>
  [
    pen.fg && `fg-${pen.fg}`,
    pen.bg && `bg-${pen.bg}`,
    pen.bold && "bold",
    pen.dim && "dim",
    pen.italic && "italic",
    pen.underline && "underline",
    pen.reverse && "reverse",
  ]
    .filter(Boolean)
    .join(" ");

// CSI, OSC (ended by BEL or ST) and two-character escapes, also cut off at the end of what has arrived.
// biome-ignore lint/suspicious/noControlCharactersInRegex: escapes are control characters
const sequences = /\x1b(?:\[([0-?]*)[ -/]*([@-~])?|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_]?)/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: what is left of a terminal's controls
const controls = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/g;

/** Splits output into styled spans. A carriage return rewrites its line, as progress bars mean it. */
export function ansi(output: string): Span[] {
  const text = output.includes("\r") ? rewritten(output) : output;
  if (!text.includes("\x1b")) return [{ text: text.replace(controls, ""), style: "" }];
  const spans: Span[] = [];
  const pen = plainPen();
  let at = 0;
  const push = (part: string) => {
    const clean = part.replace(controls, "");
    if (!clean) return;
    const style = classes(pen);
    const last = spans.at(-1);
    if (last && last.style === style) last.text += clean;
    else spans.push({ text: clean, style });
  };
  for (const found of text.matchAll(sequences)) {
    push(text.slice(at, found.index));
    at = found.index + found[0].length;
    if (found[2] === "m") obey(pen, found[1] ?? "");
  }
  push(text.slice(at));
  return spans;
}

/** The same without any colour, for searching and copying. */
export const withoutAnsi = (output: string): string =>
  ansi(output)
    .map(({ text }) => text)
    .join("");

function rewritten(output: string): string {
  return output
    .replaceAll("\r\n", "\n")
    .split("\n")
    .map((line) => {
      const parts = line.split("\r");
      return parts.findLast((part) => part !== "") ?? "";
    })
    .join("\n");
}

function obey(pen: Pen, parameters: string): void {
  const codes = parameters === "" ? [0] : parameters.split(/[;:]/).map(Number);
  for (let n = 0; n < codes.length; n += 1) {
    const code = codes[n] ?? 0;
    if (code === 0) Object.assign(pen, plainPen());
    else if (code === 1) pen.bold = true;
    else if (code === 2) pen.dim = true;
    else if (code === 3) pen.italic = true;
    else if (code === 4) pen.underline = true;
    else if (code === 7) pen.reverse = true;
    else if (code === 22) [pen.bold, pen.dim] = [false, false];
    else if (code === 23) pen.italic = false;
    else if (code === 24) pen.underline = false;
    else if (code === 27) pen.reverse = false;
    else if (code >= 30 && code <= 37) pen.fg = names[code - 30] ?? "";
    else if (code >= 90 && code <= 97) pen.fg = names[code - 90] ?? "";
    else if (code >= 40 && code <= 47) pen.bg = names[code - 40] ?? "";
    else if (code >= 100 && code <= 107) pen.bg = names[code - 100] ?? "";
    else if (code === 39) pen.fg = "";
    else if (code === 49) pen.bg = "";
    else if (code === 38 || code === 48) {
      const [name, used] = nearest(codes.slice(n + 1));
      if (code === 38) pen.fg = name;
      else pen.bg = name;
      n += used;
    }
  }
}

/** 256 and 24-bit colours come down to the eight that both themes can show readably. */
function nearest(rest: number[]): [name: string, used: number] {
  if (rest[0] === 5) {
    const index = rest[1] ?? 0;
    if (index < 16) return [names[index % 8] ?? "", 2];
    if (index >= 232) return [index < 244 ? "black" : "white", 2];
    const cube = index - 16;
    return [hue(Math.floor(cube / 36) * 51, (Math.floor(cube / 6) % 6) * 51, (cube % 6) * 51), 2];
  }
  if (rest[0] === 2) return [hue(rest[1] ?? 0, rest[2] ?? 0, rest[3] ?? 0), 4];
  return ["", 1];
}

function hue(red: number, green: number, blue: number): string {
  const top = Math.max(red, green, blue);
  if (top < 64) return "black";
  const on = (part: number) => (part > top * 0.6 ? 1 : 0);
  return names[on(red) + on(green) * 2 + on(blue) * 4] ?? "";
}
