import DOMPurify from "dompurify";
import { Marked, type Token, type Tokens } from "marked";
import { codeBlock, isCodeBlock, rewriteCode } from "./code-block";
import { settled } from "./settle";

const escapes: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escaped = (text: string): string => text.replace(/[&<>"']/g, (char) => escapes[char] ?? char);

const safeLink = /^(?:https?:|mailto:)/i;

/** Raw HTML is text, images are links, and only web and mail addresses are links at all (web-ui 7.2). */
const marked = new Marked({
  gfm: true,
  breaks: false,
  renderer: {
    html: ({ text }) => escaped(text),
    checkbox: ({ checked }) =>
      `<input type="checkbox" disabled${checked ? " checked" : ""} aria-label="${checked ? "Done" : "To do"}"> `,
    image: ({ href, text, title }) => anchor(href, escaped(text || title || href), null),
    link({ href, title, tokens }) {
      return anchor(href, this.parser.parseInline(tokens), title ?? null);
    },
    code: ({ text, lang }) =>
      `<pre data-lang="${escaped((lang ?? "").split(/\s/, 1)[0] ?? "")}"><code>${escaped(text)}</code></pre>`,
    table(token) {
      const cell = ({ tokens, header, align }: Tokens.TableCell) =>
        `<${header ? "th" : "td"}${align ? ` class="to-${align}"` : ""}>${this.parser.parseInline(tokens)}</${header ? "th" : "td"}>`;
      const row = (cells: Tokens.TableCell[]) => `<tr>${cells.map(cell).join("")}</tr>`;
      const body = token.rows.length ? `<tbody>${token.rows.map(row).join("")}</tbody>` : "";
      return `<div class="table" tabindex="0"><table><thead>${row(token.header)}</thead>${body}</table></div>`;
    },
  },
});

function anchor(href: string, inner: string, title: string | null): string {
  if (!safeLink.test(href))
    return title === null && inner === escaped(href) ? inner : `<span title="${escaped(href)}">${inner}</span>`;
  const hint = title ? ` title="${escaped(title)}"` : "";
  return `<a href="${escaped(href)}"${hint} target="_blank" rel="noopener noreferrer nofollow">${inner}</a>`;
}

const clean = (html: string): DocumentFragment =>
  DOMPurify.sanitize(html, {
    RETURN_DOM_FRAGMENT: true,
    ALLOWED_TAGS: [
      ..."a p h1 h2 h3 h4 h5 h6 ul ol li blockquote pre code em strong del br hr".split(" "),
      ..."table thead tbody tr th td div span input".split(" "),
    ],
    ALLOWED_ATTR: [
      "href",
      "title",
      "target",
      "rel",
      "class",
      "data-lang",
      "start",
      "type",
      "checked",
      "disabled",
      "tabindex",
      "aria-label",
    ],
    ALLOWED_URI_REGEXP: safeLink,
    ADD_URI_SAFE_ATTR: ["target", "rel", "data-lang", "start", "type", "checked", "disabled", "tabindex", "aria-label"],
  });

interface Block {
  html: string;
  raw: string;
}

/** The top-level blocks of a text, in order; rendered one after the other they are the whole. */
function blocksOf(text: string): Block[] {
  const tokens = marked.lexer(text);
  const blocks: Block[] = [];
  let run: Token[] = [];
  const flush = () => {
    if (run.length) blocks.push({ html: marked.parser(run), raw: run.map(({ raw }) => raw).join("") });
    run = [];
  };
  for (const token of tokens) {
    // Text beside text is one paragraph; a blank between belongs to what came before.
    if (token.type !== "text") flush();
    run.push(token);
    if (token.type === "text") continue;
    if (token.type === "space" && blocks.length) {
      const last = blocks[blocks.length - 1] as Block;
      last.raw += token.raw;
      run = [];
      continue;
    }
    flush();
  }
  flush();
  return blocks;
}

function nodesOf(html: string): Node[] {
  const fragment = clean(html);
  for (const pre of fragment.querySelectorAll("pre")) pre.replaceWith(codeBlock(pre));
  return [...fragment.childNodes];
}

const plainBreaks = (text: string): string => (text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text);

/** Blocks at the end that a further line may still change. */
const OPEN = 2;

/**
 * Shows a text that grows. Only the blocks at the end are read again; what stands before them keeps its nodes. When the
 * text is complete the page holds exactly what rendering it at once would have made.
 */
export class MarkdownView {
  #shown: { html: string; nodes: Node[] }[] = [];
  /** So many blocks, and characters, can no longer change; -1 when all was rendered at once. */
  #fixed = 0;
  #fixedText = "";

  constructor(readonly container: HTMLElement) {}

  update(text: string, complete: boolean): void {
    const whole = plainBreaks(text);
    if (complete && (this.#shown.length === 0 || this.#fixed < 0)) {
      this.#atOnce(whole);
      return;
    }
    if (this.#fixed < 0) this.#clear();
    if (complete || !whole.startsWith(this.#fixedText)) {
      this.#fixed = 0;
      this.#fixedText = "";
    }
    const tail = whole.slice(this.#fixedText.length);
    const shown = complete ? tail : settled(tail);
    const blocks = blocksOf(shown);
    this.#put(blocks.map(({ html }) => html));
    if (complete || blocks.length <= OPEN) return;
    const done = blocks.slice(0, blocks.length - OPEN);
    const raw = done.map((block) => block.raw).join("");
    if (!tail.startsWith(raw)) return;
    this.#fixed += done.length;
    this.#fixedText += raw;
  }

  /** What never grew is rendered in one go, which is far cheaper than block by block. */
  #atOnce(whole: string): void {
    this.#clear();
    const nodes = nodesOf(marked.parser(marked.lexer(whole)));
    this.container.append(...nodes);
    this.#shown = [{ html: "", nodes }];
    this.#fixed = -1;
  }

  #clear(): void {
    for (const { nodes } of this.#shown) for (const node of nodes) (node as ChildNode).remove();
    this.#shown = [];
    this.#fixed = 0;
    this.#fixedText = "";
  }

  #put(htmls: string[]): void {
    const keep = this.#shown.slice(0, this.#fixed);
    const old = this.#shown.slice(this.#fixed);
    htmls.forEach((html, n) => {
      const was = old[n];
      if (was?.html === html) {
        keep.push(was);
        return;
      }
      const nodes = nodesOf(html);
      const [before, after] = [was?.nodes[0], nodes[0]];
      if (
        was?.nodes.length === 1 &&
        nodes.length === 1 &&
        isCodeBlock(before) &&
        isCodeBlock(after) &&
        rewriteCode(before, after)
      ) {
        keep.push({ html, nodes: was.nodes });
        return;
      }
      const place = was?.nodes[0] ?? null;
      for (const node of nodes) this.container.insertBefore(node, place?.parentNode === this.container ? place : null);
      for (const node of was?.nodes ?? []) (node as ChildNode).remove();
      keep.push({ html, nodes });
    });
    for (const gone of old.slice(htmls.length)) for (const node of gone.nodes) (node as ChildNode).remove();
    this.#shown = keep;
  }
}
