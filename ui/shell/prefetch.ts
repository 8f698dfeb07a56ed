import { pages } from "../pages";
import { preload } from "../pages/thread/conversations";
import { user } from "../session";
import { away } from "../status";
import { canonical, match } from "./routes";

const RESTS_MS = 100;

/** Fetches what a page needs when a link to it is rested on or focused for 100 ms (web-ui 16.1). Call once at boot. */
export function watchPrefetch() {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const rest = (event: Event) => {
    clearTimeout(timer);
    const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
    if (!(link instanceof HTMLAnchorElement) || link.origin !== location.origin) return;
    timer = setTimeout(() => fetchPage(link.pathname), RESTS_MS);
  };
  document.addEventListener("pointerover", rest, { passive: true });
  document.addEventListener("focusin", rest);
}

function fetchPage(pathname: string) {
  const route = match(canonical(pathname));
  if (!route || away.peek() || (route.needs !== "nothing" && !user.peek())) return;
  const page = pages[route.page];
  // What fails here fails again, and is told, when the page is opened.
  if ("later" in page) page.later().catch(() => {});
  if (route.page === "thread" && route.params.threadId) preload(route.params.threadId);
}
