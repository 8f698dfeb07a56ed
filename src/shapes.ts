import * as codex from "./codex/contract";
import * as identity from "./identity/contract";
import * as pairing from "./identity/pairing-contract";
import * as tokens from "./identity/tokens-contract";
import * as rollout from "./rollout/contract";
import * as batch from "./telemetry/batch-contract";

/** The wire shapes under the names that they have in the code: the API document calls them so. */
export const shapes: Record<string, unknown> = { ...codex, ...identity, ...pairing, ...tokens, ...rollout, ...batch };
