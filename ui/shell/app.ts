const meta = (name: string): string =>
  typeof document === "undefined"
    ? ""
    : (document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? "");

/** What the shell document says about itself: the product's name and the build it belongs to. */
export const app = {
  name: meta("application-name") || "OpenAgents",
  buildId: meta("oa-build") || "",
};
