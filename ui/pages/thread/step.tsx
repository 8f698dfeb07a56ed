import type { ComponentChildren } from "preact";
import { Icon, type IconName } from "../../parts/icons";

/** A small thing that was done, as one quiet line. */
export const Step = ({ icon, children }: { icon: IconName; children: ComponentChildren }) => (
  <p class="step">
    <Icon name={icon} />
    <span>{children}</span>
  </p>
);
