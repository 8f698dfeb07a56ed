import { useEffect, useState } from "preact/hooks";
import { world } from "../world";

/** Whole seconds left until `until` (milliseconds since 1970), counting down while it is shown; 0 when past or null. */
export function useSecondsLeft(until: number | null): number {
  const left = () => (until === null ? 0 : Math.max(0, Math.ceil((until - world.now()) / 1000)));
  const [counted, setCounted] = useState({ until, seconds: left() });
  useEffect(() => {
    setCounted({ until, seconds: left() });
    if (left() === 0) return;
    const timer = setInterval(() => {
      const seconds = left();
      setCounted((old) => (old.seconds === seconds && old.until === until ? old : { until, seconds }));
      if (seconds === 0) clearInterval(timer);
    }, 250);
    return () => clearInterval(timer);
  }, [until]);
  // A new end counts with the render that brings it, not one later: no button is open in between.
  return counted.until === until ? counted.seconds : left();
}
