import { expect, test } from "bun:test";
import { blocks, skewOf } from "../../../ui/shell/skew";

const at = (buildId: string, min: string | null = null, max: string | null = null) => ({
  buildId,
  compatibility: { minClientBuildId: min, maxClientBuildId: max },
});

test.each([
  ["", at("20261124T230000Z"), "missing_current_build"],
  ["20261123T000000Z", at("20261124T000000Z", "20261124T000000Z"), "below_min_client"],
  ["20261125T000000Z", at("20261124T000000Z", null, "20261124T000000Z"), "above_max_client"],
  ["20261123T000000Z", at("20261124T000000Z", "20261101T000000Z"), "build_id_mismatch"],
  ["20261125T000000Z", at("20261124T000000Z"), "build_id_mismatch"],
  ["20261124T000000Z", at("20261124T000000Z", "20261124T000000Z"), "none"],
  ["20261124T000000Z", at(""), "none"],
] as const)("build %p against %p: %s", (current, manifest, skew) => expect(skewOf(current, manifest)).toBe(skew));

test("only a build outside the window blocks", () => {
  expect(
    (["missing_current_build", "below_min_client", "above_max_client", "build_id_mismatch", "none"] as const).filter(
      blocks,
    ),
  ).toEqual(["below_min_client", "above_max_client"]);
});
