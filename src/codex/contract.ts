/** Wire shapes of the Codex domain (codex-chat 2). */
export * from "./contract/requests";
export * from "./contract/threads";
export * from "./contract/workers";
