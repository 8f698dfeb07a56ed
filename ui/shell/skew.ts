/** The part of `manifest.json` that decides whether this build may go on (web-ui 8). */
export interface Manifest {
  buildId: string;
  compatibility?: { minClientBuildId?: string | null; maxClientBuildId?: string | null };
  khala?: { url?: string };
}

export type Skew = "missing_current_build" | "below_min_client" | "above_max_client" | "build_id_mismatch" | "none";

/** How this build and the server's fit. Ids compare as strings; a blank one fits everything. */
export function skewOf(current: string, manifest: Manifest): Skew {
  if (!current) return "missing_current_build";
  const { minClientBuildId: min, maxClientBuildId: max } = manifest.compatibility ?? {};
  if (min && current < min) return "below_min_client";
  if (max && current > max) return "above_max_client";
  if (manifest.buildId && manifest.buildId !== current) return "build_id_mismatch";
  return "none";
}

/** Outside the window nothing may go on; another build inside it may. */
export const blocks = (skew: Skew): boolean => skew === "below_min_client" || skew === "above_max_client";
