import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import fc from "fast-check";
import type { Browser, Page } from "playwright-core";
import { launch } from "../support/browser";

/** The module as the product bundles it, in the browser that people use: sanitising depends on a real DOM. */
let browser: Browser;
let page: Page;

interface Markdown {
  MarkdownView: new (box: HTMLElement) => { update(text: string, complete: boolean): void };
}

beforeAll(async () => {
  browser = await launch();
  page = await browser.newPage();
  const built = await Bun.build({
    entrypoints: [join(import.meta.dir, "../../ui/pages/thread/markdown.ts")],
    target: "browser",
    format: "esm",
    splitting: false,
  });
  const code = (await built.outputs[0]?.text()) ?? "";
  const exported = /export\s*\{([^}]*)\}/.exec(code)?.[1] ?? "";
  const names = exported
    .split(",")
    .map((name) => name.trim().split(/\s+as\s+/))
    .map(([from, to = from]) => `${to}: ${from}`);
  await page.addScriptTag({
    content: `(() => { ${code.replace(/export\s*\{[^}]*\};?/, "")}; globalThis.md = { ${names.join(", ")} }; })()`,
  });
}, 30_000);
afterAll(() => browser?.close());

const htmlOf = (text: string): Promise<string> =>
  page.evaluate((source) => {
    const box = document.createElement("div");
    new (globalThis as unknown as { md: Markdown }).md.MarkdownView(box).update(source, true);
    return box.innerHTML;
  }, text);

const pieces = fc.constantFrom(
  "# Title\n\n",
  "Some *text* with **marks** and `code`.\n",
  "\n",
  "- one\n- two\n",
  "  - nested\n",
  "1. first\n2. second\n",
  "```ts\nconst a = 1;\n\nconst b = 2;\n```\n",
  "```\nunclosed\n",
  "| a | b |\n| --- | ---: |\n| 1 | 2 |\n",
  "> quote\nlazy\n",
  "[link](https://example.com) and ![image](https://x.y/z.png)\n",
  "[ref]: https://example.com\n",
  "See [ref] here.\n",
  "<div onclick=x>html</div>\n\n",
  "---\n",
  "Setext\n===\n",
  "word ",
  "- [x] done\n- [ ] open\n",
  "    indented code\n",
  "a\\\nb  \nc\n",
  "~~~\ntilde\n~~~\n",
  "end\r\nof line\r\n",
);

describe("streaming", () => {
  test("whatever the text and wherever it was cut, the final DOM is that of the whole text", async () => {
    const cases = fc.sample(
      fc.tuple(fc.array(pieces, { maxLength: 16 }), fc.array(fc.nat({ max: 5000 }), { maxLength: 14 })),
      400,
    );
    const wrong = await page.evaluate(
      (all) =>
        all.flatMap(([parts, cuts]) => {
          const { MarkdownView } = (globalThis as unknown as { md: Markdown }).md;
          const text = parts.join("");
          const box = document.createElement("div");
          const view = new MarkdownView(box);
          const places = [...new Set(cuts.map((n) => n % (text.length + 1)))].sort((a, b) => a - b);
          for (const place of places) view.update(text.slice(0, place), false);
          view.update(text, true);
          const whole = document.createElement("div");
          new MarkdownView(whole).update(text, true); // never grew: rendered in one go
          return box.innerHTML === whole.innerHTML ? [] : [{ text, places, got: box.innerHTML, want: whole.innerHTML }];
        }),
      cases,
    );
    expect(wrong.slice(0, 1)).toEqual([]);
  });

  test("blocks that stand keep their nodes, and code that grows keeps its block", async () => {
    const kept = await page.evaluate(() => {
      const { MarkdownView } = (globalThis as unknown as { md: Markdown }).md;
      const box = document.createElement("div");
      const view = new MarkdownView(box);
      view.update("one\n\ntwo\n\nthree\n\n```ts\nconst a", false);
      const [first, block] = [box.firstElementChild, box.querySelector("figure")];
      view.update("one\n\ntwo\n\nthree\n\n```ts\nconst a = 1;\ncon", false);
      return [
        box.firstElementChild === first,
        box.querySelector("figure") === block,
        box.querySelector("code")?.textContent,
      ];
    });
    expect(kept).toEqual([true, true, "const a = 1;\ncon"]);
  });

  test("no raw mark of a half-written construct is ever shown", async () => {
    const text =
      "Here is **bold text** and `code` and a [link](https://example.com).\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n```ts\nlet x = 1;\n```\n\nEnd *here*.";
    const raw = await page.evaluate((source) => {
      const { MarkdownView } = (globalThis as unknown as { md: Markdown }).md;
      const box = document.createElement("div");
      const view = new MarkdownView(box);
      const seen: string[] = [];
      for (let n = 1; n <= source.length; n += 1) {
        view.update(source.slice(0, n), false);
        const shown = box.textContent ?? "";
        if (/\*|`|\]\(|\[|-{2}|\|/.test(shown)) seen.push(`${n}: ${shown}`);
      }
      return seen;
    }, text);
    expect(raw).toEqual([]);
  });
});

describe("what is rendered", () => {
  test("raw HTML is text", async () => {
    const html = await htmlOf('<script>alert(1)</script> <b onclick="x">b</b>\n\n<img src=x onerror=alert(1)>');
    expect(html).not.toMatch(/<(script|b|img)\b/);
    expect(html).toContain("&lt;script&gt;");
  });
  test.each([
    "javascript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "/etc/passwd",
    "JaVaScRiPt:alert(1)",
  ])("%s is no link", async (url) => expect(await htmlOf(`[x](${url})`)).not.toContain("<a"));
  test.each(["https://example.com/a?b=c", "http://example.com", "mailto:a@b.co"])(
    "%s is one, in a new tab",
    async (url) => {
      const html = await htmlOf(`[x](${url})`);
      expect(html).toContain(`href="${url}"`);
      expect(html).toContain('target="_blank"');
      expect(html).toContain('rel="noopener noreferrer nofollow"');
    },
  );
  test("images are links, never loaded", async () => {
    const html = await htmlOf("![secret](https://evil.example/?q=1)");
    expect(html).not.toContain("<img");
    expect(html).toContain('href="https://evil.example/?q=1"');
  });
  test("code keeps its exact text and its language, without style attributes", async () => {
    const [text, lang, styled] = await page.evaluate((source) => {
      const box = document.createElement("div");
      new (globalThis as unknown as { md: Markdown }).md.MarkdownView(box).update(source, true);
      return [
        box.querySelector("code")?.textContent,
        box.querySelector(".code-lang")?.textContent,
        box.querySelector("[style]") !== null,
      ];
    }, "```ts\nif (a < b && c) {\n  `x`;\n}\n```");
    expect([text, lang, styled]).toEqual(["if (a < b && c) {\n  `x`;\n}", "ts", false]);
  });
  test.each([
    [20, false],
    [21, true],
  ])("%d lines of code are numbered: %p", async (count, numbered) => {
    const html = await htmlOf(`\`\`\`\n${"x\n".repeat(count)}\`\`\``);
    expect(html.includes("code-numbers")).toBe(numbered);
  });
  test("task lists have boxes that cannot be ticked", async () => {
    const html = await htmlOf("- [x] done\n- [ ] open");
    expect(html.match(/type="checkbox"/g)?.length).toBe(2);
    expect(html.match(/disabled/g)?.length).toBe(2);
  });
});
