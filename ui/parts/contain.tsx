import { Component, type ComponentChildren } from "preact";

interface Props {
  children: ComponentChildren;
  /** What stands in for the children after they threw; `again` renders them anew. */
  fallback: (error: Error, again: () => void) => ComponentChildren;
  /** A change of it tries again (the route, the item's version). */
  reset?: unknown;
  report?: (error: Error) => void;
}

/** Keeps a crash where it happened (web-ui 7.8, 16.1): the page or card shows its fallback, everything else lives on. */
export class Contain extends Component<Props, { error: Error | null; reset: unknown }> {
  override state = { error: null as Error | null, reset: undefined as unknown };

  static override getDerivedStateFromProps(props: Props, state: { error: Error | null; reset: unknown }) {
    return props.reset === state.reset ? null : { error: null, reset: props.reset };
  }

  override componentDidCatch(thrown: unknown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    console.error(error);
    this.props.report?.(error);
    this.setState({ error });
  }

  override render({ children, fallback }: Props) {
    const { error } = this.state;
    return error ? fallback(error, () => this.setState({ error: null })) : children;
  }
}
