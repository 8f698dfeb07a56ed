import { createHash } from "node:crypto";

export const usualMessage =
  "OpenAgents is temporarily unavailable while we complete an infrastructure switch. Please check back shortly.";

const style =
  "body{margin:0;min-height:100vh;display:grid;place-items:center;background:#0a0a0a;color:#fafafa;font:16px/1.5 system-ui,sans-serif}main{max-width:34rem;padding:2rem;text-align:center}h1{margin:0 0 .75rem;font-size:1.75rem;font-weight:600}p{margin:0 0 1.5rem;color:#a1a1aa;overflow-wrap:anywhere}span{display:inline-block;padding:.25rem .75rem;border:1px solid #3f3f46;border-radius:999px;font-size:.8125rem;color:#e4e4e7}";

/** The page's policy: nothing but its own style, by its hash (http-platform 3.8). */
export const maintenancePolicy = `default-src 'none'; style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** The document that stands for every page during maintenance; `message` is text (web-ui 5.2). */
export const maintenancePage = (message: string): string =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta http-equiv="refresh" content="60"><meta name="color-scheme" content="dark"><title>We'll be right back | OpenAgents</title><style>${style}</style></head><body><main><h1>We'll be right back.</h1><p>${escaped(message)}</p><span role="status">Maintenance in progress</span></main></body></html>`;
