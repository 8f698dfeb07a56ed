/** `import text from "./x.sql" with { type: "text" }`: the bundler embeds the file. */
declare module "*.sql" {
  const text: string;
  export default text;
}
