export * from "./codex";
export * from "./identity";
export * from "./khala";
export * from "./platform";
