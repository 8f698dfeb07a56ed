import { expect, test } from "bun:test";
import { actionOf } from "../../../ui/shell/keys";

const press = { key: "", ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, repeat: false };
const free = { typing: false, composer: false, afterG: false, mac: false };
const typing = { ...free, typing: true };
const composer = { ...typing, composer: true };

test.each([
  ["Ctrl+K anywhere", { key: "k", ctrlKey: true }, free, "composer"],
  ["Cmd+K anywhere", { key: "k", metaKey: true }, free, "composer"],
  ["Ctrl+K in a text field", { key: "k", ctrlKey: true }, typing, null],
  ["Ctrl+K held", { key: "k", ctrlKey: true, repeat: true }, free, null],
  ["Ctrl+Alt+K", { key: "k", ctrlKey: true, altKey: true }, free, null],
  ["Ctrl+Shift+K", { key: "K", ctrlKey: true, shiftKey: true }, free, null],
  ["Ctrl+K in the composer", { key: "k", ctrlKey: true }, composer, "palette"],
  ["Ctrl+K in the composer on a Mac edits text", { key: "k", ctrlKey: true }, { ...composer, mac: true }, null],
  ["Cmd+K in the composer on a Mac", { key: "k", metaKey: true }, { ...composer, mac: true }, "palette"],
  ["Ctrl+/ in a text field", { key: "/", ctrlKey: true }, typing, "palette"],
  ["Ctrl+B", { key: "b", ctrlKey: true }, typing, "sidebar"],
  ["?", { key: "?", shiftKey: true }, free, "shortcuts"],
  ["? in a text field", { key: "?", shiftKey: true }, typing, null],
  ["g", { key: "g" }, free, "g"],
  ["g then h", { key: "h" }, { ...free, afterG: true }, "home"],
  ["g then s", { key: "s" }, { ...free, afterG: true }, "settings"],
  ["g then a", { key: "a" }, { ...free, afterG: true }, "admin"],
  ["h alone", { key: "h" }, free, null],
  ["g then f, a page that does not exist", { key: "f" }, { ...free, afterG: true }, null],
] as const)("%s", (_, key, where, action) => expect(actionOf({ ...press, ...key }, where)).toBe(action));
