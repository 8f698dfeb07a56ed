/** The page paths of the web app and what a document request for each of them gets (web-ui 2.1). */

export type PageRule =
  | { kind: "public" }
  | { kind: "guest" }
  | { kind: "member" }
  | { kind: "admin" }
  | { kind: "redirect"; guest: string; member: string; methods?: readonly string[] }
  | { kind: "missing" };

const anyMethod = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;

/** Every page by its template, with `:name` for a path parameter. */
export const pages: Record<string, PageRule> = {
  "/": { kind: "public" },
  "/login": { kind: "guest" },
  "/login/link/:token": { kind: "guest" },
  "/register": { kind: "redirect", guest: "/login", member: "/" },
  "/authenticate": { kind: "redirect", guest: "/login", member: "/" },
  "/chat": { kind: "redirect", guest: "/", member: "/" },
  "/chat/:threadId": { kind: "member" },
  "/pair": { kind: "member" },
  "/settings": { kind: "redirect", guest: "/login", member: "/settings/profile", methods: anyMethod },
  "/settings/profile": { kind: "member" },
  "/settings/sessions": { kind: "member" },
  "/settings/tokens": { kind: "member" },
  "/admin": { kind: "admin" },
};

const forms = Object.keys(pages)
  .filter((template) => template.includes(":"))
  .map((template) => [new RegExp(`^${template.replace(/:\w+/g, "[^/]+")}$`), template] as const);

/** The template of a page path; `-` for paths that no page has. */
export const pageTemplate = (path: string): string =>
  path in pages ? path : (forms.find(([form]) => form.test(path))?.[1] ?? "-");

/** The rule of a page path; paths that no page has are missing. */
export const pageRule = (path: string): PageRule => pages[pageTemplate(path)] ?? { kind: "missing" };

/** Whether a page answers this method of its path: GET and HEAD, and what its rule names besides. */
export function isPageMethod(method: string, path: string): boolean {
  if (method === "GET" || method === "HEAD") return true;
  const rule = pages[path];
  return rule?.kind === "redirect" && rule.methods?.includes(method) === true;
}

/** Whether a return path may lead there (web-ui 2.5). */
export function isPage(path: string): boolean {
  const bare = path.split(/[?#]/)[0] as string;
  const { kind } = pageRule(bare);
  return kind !== "missing" && kind !== "redirect" && bare !== "/login";
}

/** Whether a path is none of the web app's: API, files, sockets, machine endpoints (http-platform 3.7). */
export const isForeignPath = (path: string): boolean => /^\/(api|assets|sanctum|internal|sync|socket)(\/|$)/.test(path);

/** Whether the last segment has an extension. */
export const hasExtension = (path: string): boolean => /\.[A-Za-z0-9]+$/.test(path.slice(path.lastIndexOf("/") + 1));
