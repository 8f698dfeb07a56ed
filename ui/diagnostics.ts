import { khala } from "./khala/topics";
import { navigations, route } from "./shell/router";
import { freshId } from "./world";

/** Budgets of web-ui 10, in milliseconds. */
const BUDGETS = { domReadyMs: 450, firstRenderMs: 2200, bootTotalMs: 2500 } as const;

const state = {
  bootId: freshId("boot_"),
  bootCount: 0,
  phase: "booting" as "booting" | "ready" | "error",
  domReadyMs: null as number | null,
  firstRenderMs: null as number | null,
  bootTotalMs: null as number | null,
  budgetBreaches: [] as string[],
  lastError: null as string | null,
};

/** Notes a time since the document began and whether it broke its budget. */
export function measured(name: keyof typeof BUDGETS) {
  const ms = Math.round(performance.now());
  state[name] = ms;
  if (ms > BUDGETS[name]) state.budgetBreaches.push(`${name}>${BUDGETS[name]} (actual=${ms})`);
}

export const booted = () => {
  state.bootCount++;
};
export const phase = (next: typeof state.phase) => {
  state.phase = next;
};
export const noteError = (error: unknown) => {
  state.lastError = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
};

/** `globalThis.__oa`: what tests and support read; nobody can write it (web-ui 2.6). */
export function expose() {
  const view = Object.freeze({
    get bootId() {
      return state.bootId;
    },
    get bootCount() {
      return state.bootCount;
    },
    get phase() {
      return state.phase;
    },
    get routePath() {
      return location.pathname;
    },
    get page() {
      return route.peek().page;
    },
    get navigations() {
      return navigations.peek();
    },
    get domReadyMs() {
      return state.domReadyMs;
    },
    get firstRenderMs() {
      return state.firstRenderMs;
    },
    get bootTotalMs() {
      return state.bootTotalMs;
    },
    get budgetBreaches() {
      return [...state.budgetBreaches];
    },
    get khala() {
      return {
        state: khala.link.peek().kind,
        connectionId: khala.connectionId,
        topics: Object.fromEntries(khala.watermarks.list().map(({ topic, watermark }) => [topic, watermark])),
      };
    },
    get lastError() {
      return state.lastError;
    },
  });
  Object.defineProperty(globalThis, "__oa", { value: view, configurable: false, writable: false });
  window.addEventListener("error", ({ error, message }) => noteError(error ?? message));
  window.addEventListener("unhandledrejection", ({ reason }) => noteError(reason));
}
