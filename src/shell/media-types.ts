const types: Record<string, string> = {
  js: "text/javascript; charset=utf-8",
  mjs: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  json: "application/json",
  webmanifest: "application/manifest+json",
  svg: "image/svg+xml",
  woff2: "font/woff2",
  map: "application/json",
  png: "image/png",
  ico: "image/x-icon",
  txt: "text/plain; charset=utf-8",
};

/** Media type of a file by its extension (http-platform 3.7). */
export const mediaType = (path: string): string =>
  types[path.slice(path.lastIndexOf(".") + 1)] ?? "application/octet-stream";

/** Text is worth compressing; fonts and images are packed already. */
export const isText = (path: string): boolean => /\.(js|mjs|css|html|json|webmanifest|svg|map|txt)$/.test(path);
