import { Dot } from "../parts/dot";
import { csrfLost, online, reach } from "../status";

/** One line above the page while the server cannot be reached, or the session changed under us (web-ui 5.2). */
export function Banner() {
  if (csrfLost.value) {
    return (
      <div class="banner" role="alert">
        <Dot tone="warn" />
        Your session changed. Reload to continue.
        <button type="button" class="button small" onClick={() => location.reload()}>
          Reload
        </button>
      </div>
    );
  }
  if (!online.value) {
    return (
      <div class="banner" role="status">
        <Dot tone="bad" />
        You're offline. Changes will send when you're back.
      </div>
    );
  }
  if (reach.value === "unreachable") {
    return (
      <div class="banner" role="status">
        <Dot tone="bad" />
        Can't reach OpenAgents. Retrying…
      </div>
    );
  }
  return null;
}
