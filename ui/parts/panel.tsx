import "./panel.css";
import type { ComponentChildren } from "preact";

interface Props {
  title: string;
  text?: ComponentChildren;
  /** Of its heading, below that of the page. */
  level?: 2 | 3;
  /** The bar below: what came of it, and the buttons. */
  foot?: ComponentChildren;
  /** At the right of the heading. */
  actions?: ComponentChildren;
  children?: ComponentChildren;
}

/** A section of a settings page: what it is, its content, what can be done. */
export const Panel = ({ title, text, level = 3, foot, actions, children }: Props) => (
  <section class="panel" aria-label={title}>
    <header>
      <div>
        {level === 2 ? <h2>{title}</h2> : <h3>{title}</h3>}
        {text && <p>{text}</p>}
      </div>
      {actions}
    </header>
    {children && <div class="panel-body">{children}</div>}
    {foot && <footer>{foot}</footer>}
  </section>
);
