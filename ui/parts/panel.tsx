import type { ComponentChildren } from "preact";

interface Props {
  title: string;
  text?: ComponentChildren;
  tone?: "bad";
  /** The bar below: what came of it, and the buttons. */
  foot?: ComponentChildren;
  /** At the right of the heading. */
  actions?: ComponentChildren;
  children?: ComponentChildren;
}

/** A section of a settings page: what it is, its content, what can be done. */
export const Panel = ({ title, text, tone, foot, actions, children }: Props) => (
  <section class={`panel${tone ? ` panel-${tone}` : ""}`} aria-label={title}>
    <header>
      <div>
        <h3>{title}</h3>
        {text && <p>{text}</p>}
      </div>
      {actions}
    </header>
    {children && <div class="panel-body">{children}</div>}
    {foot && <footer>{foot}</footer>}
  </section>
);
