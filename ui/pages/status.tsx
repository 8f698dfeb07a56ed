import { useEffect } from "preact/hooks";
import { MAINTENANCE } from "../failure";
import { Dot } from "../parts/dot";
import { route } from "../shell/router";
import { maintenance } from "../status";
import { world } from "../world";

/** Frame of every page that is only a message. */
export const Notice = ({
  mark,
  title,
  children,
}: {
  mark?: string;
  title: string;
  children?: preact.ComponentChildren;
}) => (
  <section class="mid">
    {mark && (
      <p class="big" aria-hidden="true">
        {mark}
      </p>
    )}
    <h1 tabIndex={-1}>{title}</h1>
    {children}
  </section>
);

const Home = () => (
  <div class="acts">
    <a class="button" href="/">
      Go home
    </a>
  </div>
);

function Maintenance() {
  useEffect(() => {
    const timer = setInterval(async () => {
      const answer = await world.fetch("/manifest.json", { cache: "no-store" }).catch(() => null);
      if (answer?.ok) location.reload();
    }, 15_000);
    return () => clearInterval(timer);
  }, []);
  return (
    <Notice title="We'll be right back.">
      <p>{maintenance.value || MAINTENANCE}</p>
      <p class="chip" role="status">
        <Dot tone="busy" />
        Maintenance in progress
      </p>
    </Notice>
  );
}

/** 404, 403, 500 and maintenance, inside the frame (web-ui 7.8). */
export function StatusPage() {
  if (maintenance.value !== null) return <Maintenance />;
  switch (route.value.page) {
    case "forbidden":
      return (
        <Notice mark="403" title="You don't have access to this page.">
          <Home />
        </Notice>
      );
    case "error":
      return (
        <Notice mark="500" title="Something went wrong on our side.">
          <div class="acts">
            <button type="button" class="button" onClick={() => location.reload()}>
              Retry
            </button>
            <a class="button quiet" href="/">
              Go home
            </a>
          </div>
        </Notice>
      );
    default:
      return (
        <Notice mark="404" title="This page doesn't exist.">
          {/^\/aui(\/|$)/.test(location.pathname) && <p>The old assistant page was retired.</p>}
          <Home />
        </Notice>
      );
  }
}
