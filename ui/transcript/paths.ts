/** A path as one reads it beside its workspace (`workspace://api`): relative where it lies in it, else as it is. */
export function shortPath(path: string, workspaceRef: string | null): string {
  const name = /^workspace:\/\/([^/]+)$/.exec(workspaceRef ?? "")?.[1];
  if (!name || !path.startsWith("/")) return path;
  const at = path.indexOf(`/${name}/`);
  return at < 0 ? path : path.slice(at + name.length + 2);
}
