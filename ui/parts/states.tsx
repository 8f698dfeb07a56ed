import { useEffect, useState } from "preact/hooks";
import type { Failure as Why } from "../failure";
import { CopyButton } from "./copy";

/** Rows in the shape of what comes, shown after 150 ms so that a fast answer never flickers. `name` is what loads. */
export function Loading({ rows = 3, name = "Loading" }: { rows?: number; name?: string }) {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 150);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div class="skeleton" role="status" aria-label={name}>
      {late && Array.from({ length: rows }, (_, n) => <span key={n} class={`bone bone-${n % 4}`} />)}
    </div>
  );
}

/** Why a read failed, with `Retry`; for our own errors the reference to quote (web-ui 5.2). Aborted requests show nothing. */
export function Failure({
  failure,
  retry,
}: {
  failure: Pick<Why, "kind" | "message" | "requestId">;
  retry?: () => void;
}) {
  if (failure.kind === "aborted") return null;
  return (
    <div class="failure" role="alert">
      <p>{failure.message}</p>
      {retry && (
        <button type="button" class="button" onClick={retry}>
          Retry
        </button>
      )}
      {failure.kind === "server" && failure.requestId && (
        <p class="reference">
          Reference: <code>{failure.requestId}</code>
          <CopyButton text={failure.requestId} label="Copy reference" />
        </p>
      )}
    </div>
  );
}
