import { useEffect, useState } from "preact/hooks";
import { noteError } from "../diagnostics";
import { type Page, pages } from "../pages";
import { announce } from "../parts/announce";
import { Contain } from "../parts/contain";
import { Failure, Loading } from "../parts/states";
import { toast } from "../parts/toast";
import { load, session } from "../session";
import { answers, maintenance, recoveries, unreached } from "../status";
import { entry, pageTitle, route, settleScroll, title } from "./router";
import { status } from "./routes";

/** Pages that were fetched once are there at once. */
const fetched = new Map<string, Page>();

function usePage(key: keyof typeof pages): { page: Page | null; failed: boolean; slow: boolean; again: () => void } {
  const entryOf = pages[key];
  const ready = "now" in entryOf ? entryOf.now : (fetched.get(key) ?? null);
  const [, redraw] = useState(0);
  const [failedKey, setFailed] = useState<string | null>(null);
  const failed = failedKey === key && ready === null;
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    if (ready || failed || !("later" in entryOf)) return;
    let left = false;
    const timer = setTimeout(() => setSlow(true), 150);
    entryOf
      .later()
      .then((page) => {
        fetched.set(key, page);
        if (!left) redraw((n) => n + 1);
      })
      .catch((error: unknown) => {
        // A deploy in between took the chunk away, or the network failed (web-ui 8).
        noteError(error);
        if (!left) setFailed(key);
      })
      .finally(() => {
        clearTimeout(timer);
        if (!left) setSlow(false);
      });
    return () => {
      left = true;
      clearTimeout(timer);
    };
  }, [key, failed]);
  // What the network took is fetched when it is back.
  useEffect(() => {
    if (!failed) return;
    const seen = recoveries.peek();
    return recoveries.subscribe((count) => {
      if (count !== seen) setFailed(null);
    });
  }, [failed]);
  return { page: ready, failed, slow, again: () => setFailed(null) };
}

let first = true;

/** Renders the page of the route into `<main>`; sees to scroll, focus and announcement after a navigation (web-ui 9.1). */
export function PageHost() {
  const shown = maintenance.value !== null ? status("maintenance") : route.value;
  const { page: Shown, failed, slow, again } = usePage(shown.page);
  const now = session.value;
  const ready = Shown !== null && (now.kind !== "unknown" || shown.page === "maintenance");

  useEffect(() => {
    if (!ready) return;
    settleScroll();
    const main = document.getElementById("oa-main-shell");
    const own = main?.querySelector<HTMLElement>("[data-first]");
    if (first) {
      first = false;
      own?.focus({ preventScroll: true });
      return;
    }
    (own ?? main?.querySelector<HTMLElement>("h1") ?? main)?.focus({ preventScroll: true });
    announce(title.peek());
  }, [ready, entry.value, shown.page]);

  useEffect(() => {
    if (!failed) return;
    void answers().then((yes) => {
      if (!yes) return unreached();
      toast("A new version is ready.", {
        name: "update",
        stay: null,
        action: { label: "Reload", run: () => location.reload() },
      });
    });
  }, [failed]);

  useEffect(() => {
    if (shown.page === "maintenance") pageTitle.value = shown.title;
  }, [shown.page]);

  return (
    <>
      {slow && <div class="slow" role="progressbar" aria-label="Loading page" />}
      <main id="oa-main-shell" tabIndex={-1} data-page={shown.page}>
        {now.kind === "unreachable" && shown.page !== "maintenance" ? (
          <Unreachable />
        ) : failed ? (
          <Failure
            failure={{ kind: "network", message: "This page could not be loaded.", requestId: null }}
            retry={again}
          />
        ) : ready && Shown ? (
          <Contain
            reset={`${shown.page}${JSON.stringify(shown.params)}`}
            report={noteError}
            fallback={(_, retry) => <Crashed retry={retry} />}
          >
            <Shown {...shown.params} />
          </Contain>
        ) : (
          <div class="column waiting">
            <Loading rows={4} name="Loading page" />
          </div>
        )}
      </main>
    </>
  );
}

const Crashed = ({ retry }: { retry: () => void }) => (
  <section class="mid">
    <h1 tabIndex={-1}>This page crashed.</h1>
    <div class="acts">
      <button type="button" class="button" onClick={retry}>
        Reload page
      </button>
    </div>
  </section>
);

const Unreachable = () => (
  <section class="mid">
    <h1 tabIndex={-1}>Couldn't reach OpenAgents.</h1>
    <div class="acts">
      <button type="button" class="button" onClick={() => void load()}>
        Retry
      </button>
    </div>
  </section>
);
