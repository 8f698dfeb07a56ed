import { beforeAll, expect, test } from "bun:test";
import { brotliCompressSync } from "node:zlib";
import { bundleUi, type UiBundle } from "../../ui/bundle";

let bundle: UiBundle;
beforeAll(async () => {
  bundle = await bundleUi({ buildId: "20260219T120000Z" });
});
const bytes = (path: string): Uint8Array => bundle.files.find((file) => file.path === path)?.bytes ?? new Uint8Array();
const text = (path: string): string => new TextDecoder().decode(bytes(path));

test("the first load's script and style are at most 60 kB as brotli", () => {
  const named = [...text("index.html").matchAll(/(?:src|href)="\/(assets\/[^"]+\.(?:js|css))"/g)];
  const first = new Set(named.map(([, path]) => path as string));
  for (const path of first) {
    for (const [, name] of text(path).matchAll(/(?:\bfrom|\bimport)\s*"\.?\/(?:assets\/)?([^"]+\.js)"/g))
      first.add(`assets/${name}`);
  }
  expect([...first]).toContain(bundle.entry.js);
  const sizes = [...first].map((path) => brotliCompressSync(bytes(path)).length);
  expect(Math.min(...sizes)).toBeGreaterThan(100);
  expect(sizes.reduce((sum, size) => sum + size)).toBeLessThanOrEqual(60_000);
});

test("settings, admin and what draws a conversation are fetched when they are needed", () => {
  const first = text(bundle.entry.js);
  for (const words of ["Revoke token", "Sign out other devices", "Administrator", "Search in "]) {
    expect([words, first.includes(words)]).toEqual([words, false]);
    const lazy = bundle.files.filter(({ path }) => path.startsWith("assets/") && path.endsWith(".js"));
    expect([words, lazy.some(({ path }) => text(path).includes(words))]).toEqual([words, true]);
  }
});

test("the one sheet has the rules of every page, each once", () => {
  const sheet = text(bundle.entry.css);
  for (const rule of [".button{display:", ".talk{", ".panel{", ".tabs{", ".json-tree{", ".palette{", ".find{"])
    expect([rule, sheet.split(rule).length - 1]).toEqual([rule, 1]);
});

test("no markup carries a style or a script of its own", () => {
  const shell = text("index.html");
  expect(shell).not.toMatch(/\sstyle=|<style|\son\w+=/);
  expect(shell).not.toMatch(/<script(?![^>]*\ssrc=)/);
});

test("every icon that a page or the manifest names is among the files", () => {
  const named = [
    ...text("index.html").matchAll(/rel="(?:icon|apple-touch-icon|manifest)" href="\/([^"]+)"/g),
    ...text("manifest.webmanifest").matchAll(/"src": "\/([^"]+)"/g),
  ].map(([, path]) => path as string);
  expect(named.length).toBe(8);
  for (const path of named) expect([path, bytes(path).length > 0]).toEqual([path, true]);
});
