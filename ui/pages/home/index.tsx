import { HomeCentre, QuickPrompts } from "./centre";

/** `/` without a thread: what stands in the middle depends on session and machines. */
export function HomePage() {
  return (
    <>
      <HomeCentre />
      <div class="column">
        <QuickPrompts onPick={() => {}} />
      </div>
    </>
  );
}
