import { expect, test } from "bun:test";
import { settled } from "../../ui/pages/thread/settle";

const ends: [string, string][] = [
  ["text **bo", "text **bo**"],
  ["text **", "text "],
  ["a `co", "a `co`"],
  ["a `", "a "],
  ["see [the doc](https://exa", "see the doc"],
  ["see [the d", "see the d"],
  ["![pic](https://exa", "pic"],
  ["x\n``", "x"],
  ["x\n```ts", "x"],
  ["```ts", ""],
  ["| a | b |", ""],
  ["| a | b |\n| --", ""],
  ["| a | b |\n| --- | --- |\n| 1 ", "| a | b |\n| --- | --- |\n| 1 "],
  ["```ts\ncode **", "```ts\ncode **"],
  ["```ts\ncode\n``", "```ts\ncode"],
  ["**bold*", "**bold**"],
  ["~~", ""],
  ["```ts\ncode\n```\n\nmore **bo", "```ts\ncode\n```\n\nmore **bo**"],
  ["- item\n- ", "- item"],
  ["- item\n1.", "- item"],
  ["text\n#", "text"],
  ["plain", "plain"],
  ["2 * 3", "2 * 3"],
  ["a *b", "a *b*"],
  ["~~gone", "~~gone~~"],
  ["", ""],
];

test.each(ends)("the unfinished end %j is shown as %j", (tail, shown) => {
  expect(settled(tail).trimEnd()).toBe(shown.trimEnd());
});
