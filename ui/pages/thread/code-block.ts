import { announce } from "../../parts/announce";
import { copy } from "../../parts/copy";

/** Code in a message: language, copy, wrap, line numbers over 20 lines; colours come when the page is idle. */
const NUMBERED = 20;
const LONGEST = 20_000;

const aliases: Record<string, string> = {
  ts: "typescript",
  tsx: "typescript",
  js: "javascript",
  jsx: "javascript",
  py: "python",
  sh: "bash",
  shell: "bash",
  zsh: "bash",
  console: "bash",
  rs: "rust",
  yml: "yaml",
  html: "xml",
  svg: "xml",
  patch: "diff",
  jsonc: "json",
  md: "markdown",
};

const make = <K extends keyof HTMLElementTagNameMap>(tag: K, className: string): HTMLElementTagNameMap[K] => {
  const element = document.createElement(tag);
  element.className = className;
  return element;
};

/** Builds the block for a `<pre data-lang><code>` of rendered markdown. */
export function codeBlock(pre: HTMLElement): HTMLElement {
  const source = pre.textContent ?? "";
  const name = pre.dataset.lang ?? "";
  const figure = make("figure", "code-block");
  figure.dataset.lang = name;
  const bar = make("figcaption", "code-bar");
  const label = make("span", "code-lang");
  label.textContent = name || "text";
  bar.append(
    label,
    button("Wrap lines", "wrap", () => toggleWrap(figure)),
    button("Copy code", "copy", () => copyCode(figure)),
  );
  const body = make("pre", "code-body");
  body.tabIndex = 0;
  const code = make("code", "");
  code.textContent = source;
  body.append(code);
  figure.append(bar, body);
  number(figure, source);
  queueColours(figure);
  return figure;
}

export const isCodeBlock = (node: Node | undefined): node is HTMLElement =>
  node instanceof HTMLElement && node.classList.contains("code-block");

/** Gives a block the text of its successor without rebuilding it; false when the language changed. */
export function rewriteCode(block: HTMLElement, next: HTMLElement): boolean {
  if (block.dataset.lang !== next.dataset.lang) return false;
  const code = block.querySelector("code");
  const source = next.querySelector("code")?.textContent ?? "";
  if (!code) return false;
  code.textContent = source;
  code.className = "";
  number(block, source);
  queueColours(block);
  return true;
}

function number(figure: HTMLElement, source: string): void {
  const count = source.replace(/\n$/, "").split("\n").length;
  const body = figure.querySelector("pre");
  const old = figure.querySelector(".code-numbers");
  if (count <= NUMBERED || !body) {
    old?.remove();
    return;
  }
  const gutter = old ?? make("span", "code-numbers");
  gutter.setAttribute("aria-hidden", "true");
  gutter.textContent = Array.from({ length: count }, (_, n) => n + 1).join("\n");
  if (!old) body.prepend(gutter);
}

const icons = {
  copy: "M9 9h10v10H9zM5 15V5h10",
  wrap: "M4 6h16M4 12h13a3 3 0 0 1 0 6h-4M15 15l-3 3 3 3M4 18h4",
};

function button(name: string, icon: keyof typeof icons, run: () => void): HTMLButtonElement {
  const element = make("button", "icon-button small");
  element.type = "button";
  element.title = name;
  element.setAttribute("aria-label", name);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", icons[icon]);
  svg.append(path);
  element.append(svg);
  element.addEventListener("click", run);
  return element;
}

function toggleWrap(figure: HTMLElement): void {
  const on = figure.classList.toggle("wrapped");
  figure.querySelector('[aria-label="Wrap lines"]')?.setAttribute("aria-pressed", String(on));
}

async function copyCode(figure: HTMLElement): Promise<void> {
  const done = await copy(figure.querySelector("code")?.textContent ?? "");
  announce(done ? "Copied" : "Copying failed.", done ? "polite" : "assertive");
  if (!done) return;
  figure.classList.add("copied");
  setTimeout(() => figure.classList.remove("copied"), 1500);
}

const waiting = new Set<HTMLElement>();
let scheduled = false;

/** Colours one block at a time, when nothing else is to be done. */
function queueColours(figure: HTMLElement): void {
  const language = aliases[figure.dataset.lang ?? ""] ?? figure.dataset.lang ?? "";
  if (!language || typeof requestAnimationFrame === "undefined") return;
  waiting.add(figure);
  if (scheduled) return;
  scheduled = true;
  later(colourNext);
}

const later = (run: () => void) =>
  typeof requestIdleCallback === "undefined" ? setTimeout(run, 200) : requestIdleCallback(run, { timeout: 2000 });

async function colourNext(): Promise<void> {
  const { highlight } = await import("./highlight");
  const [figure] = waiting;
  if (figure) {
    waiting.delete(figure);
    const code = figure.querySelector("code");
    const source = code?.textContent ?? "";
    const language = aliases[figure.dataset.lang ?? ""] ?? figure.dataset.lang ?? "";
    if (code && figure.isConnected && source.length <= LONGEST) {
      const html = highlight(source, language);
      if (html !== null) {
        code.innerHTML = html;
        code.className = "hljs";
      }
    }
  }
  scheduled = waiting.size > 0;
  if (scheduled) later(colourNext);
}
