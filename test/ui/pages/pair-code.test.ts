import { expect, test } from "bun:test";
import { isCode, shownCode } from "../../../ui/pages/pair-code";

test.each([
  ["wdjbmjht", "WDJB-MJHT"],
  ["WDJB-MJHT", "WDJB-MJHT"],
  [" wdjb mjht ", "WDJB-MJHT"],
  ["wdjb", "WDJB"],
  ["wdjbm", "WDJB-M"],
  ["wdjb-mjhtxyz", "WDJB-MJHT"],
  ["", ""],
])("%p is shown as %p", (typed, shown) => expect(shownCode(typed)).toBe(shown));

test("only the letters of the alphabet of codes make one", () => {
  expect(["WDJB-MJHT", "wdjbmjht", "WDJB-MJH", "ADJB-MJHT", "WDJB-MJH1"].map(isCode)).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});
