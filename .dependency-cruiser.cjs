// The floors of the house: main → serve · ops · worker → app → domains → context → khala · jobs · telemetry · http → db → config.
const domains = "(identity|codex)";
const lower = "(khala|jobs|telemetry|http)";

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: "no-circles",
      comment: "shapes may know each other; code may not",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "domains-know-no-composition",
      severity: "error",
      from: { path: `^src/(${domains}|${lower}|shell)/|^src/context\\.ts$` },
      to: { path: "^(src/(main|serve|app)\\.ts|ops/|src/worker/)" },
    },
    {
      name: "lower-floors-know-no-domain",
      severity: "error",
      from: { path: `^src/${lower}/`, pathNot: "^src/khala/index\\.ts$" },
      to: { path: `^src/(${domains}/|context\\.ts|shell/|worker/)` },
    },
    {
      name: "database-knows-no-source",
      severity: "error",
      from: { path: "^db/" },
      to: { path: "^(src|ops|ui)/", pathNot: "^src/(config|settings)\\.ts$" },
    },
    {
      name: "config-is-the-ground",
      severity: "error",
      from: { path: "^src/(config|settings|refusal)\\.ts$" },
      to: { path: "^(src|db|ops|ui)/", pathNot: "^src/(config|settings)\\.ts$" },
    },
    {
      name: "tables-of-identity",
      comment: "a domain uses another's exported functions, never its tables",
      severity: "error",
      from: { path: "^(src|ops)/", pathNot: "^src/identity/" },
      to: { path: "^db/schema/identity\\.ts$" },
    },
    {
      name: "tables-of-codex",
      severity: "error",
      from: { path: "^(src|ops)/", pathNot: "^src/codex/" },
      to: { path: "^db/schema/codex\\.ts$" },
    },
    {
      name: "tables-of-khala",
      severity: "error",
      from: { path: "^(src|ops)/", pathNot: "^src/khala/" },
      to: { path: "^db/schema/khala\\.ts$" },
    },
    {
      name: "web-app-takes-only-shapes",
      severity: "error",
      from: { path: "^ui/" },
      to: { path: "^(src|db|ops)/", pathNot: "^src/[a-z]+/(contract(\\.ts|/)|[a-z-]*contract\\.ts)" },
    },
    {
      name: "bridge-is-a-client",
      severity: "error",
      from: { path: "^src/worker/" },
      to: { path: "^(src|db|ops)/", pathNot: "^src/(worker/|[a-z]+/contract(\\.ts|/)|config\\.ts|settings\\.ts)" },
    },
    {
      name: "product-knows-no-tests",
      severity: "error",
      from: { path: "^(src|db|ops|ui)/" },
      to: { path: "^test/" },
    },
  ],
  options: {
    parser: "swc",
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(dist|\\.tools)/" },
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { extensions: [".ts", ".tsx", ".js", ".json"] },
  },
};
