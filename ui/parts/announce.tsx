import { signal } from "@preact/signals";

const polite = signal("");
const assertive = signal("");
let flip = false;

/** Says something to screen readers. The same text twice is said twice. */
export function announce(text: string, manner: "polite" | "assertive" = "polite") {
  flip = !flip;
  (manner === "polite" ? polite : assertive).value = flip ? `${text}\u00a0` : text;
}

/** The two live regions; mounted once by the frame. */
export const Announcer = () => (
  <div class="sr-only">
    <div role="status" aria-live="polite" aria-atomic="true">
      {polite}
    </div>
    <div role="alert" aria-live="assertive" aria-atomic="true">
      {assertive}
    </div>
  </div>
);
