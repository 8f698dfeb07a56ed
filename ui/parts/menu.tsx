import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { Icon, type IconName } from "./icons";

interface Props {
  /** Content of the button that opens it. */
  button: ComponentChildren;
  /** Name of the list, and of the button unless its content is its name. */
  label: string;
  named?: boolean;
  buttonClass?: string;
  /** Which way the list opens. */
  place?: "above" | "below";
  align?: "start" | "end";
  children: ComponentChildren;
}

const items = (menu: HTMLElement | null) => [...(menu?.querySelectorAll<HTMLElement>('[role^="menuitem"]') ?? [])];

/** A menu button with arrow keys, Home, End, first letters, `Esc`; closes after a choice or a click outside. */
export function Menu({
  button,
  label,
  named = false,
  buttonClass = "button",
  place = "below",
  align = "start",
  children,
}: Props) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const id = useId();
  const trigger = () => root.current?.querySelector<HTMLElement>("[aria-haspopup]");
  const close = (refocus: boolean) => {
    setOpen(false);
    if (refocus) trigger()?.focus();
  };
  useEffect(() => {
    if (!open) return;
    const list = items(root.current);
    (list.find((item) => item.getAttribute("aria-checked") === "true") ?? list[0])?.focus();
    const outside = (event: Event) => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", outside);
    document.addEventListener("focusin", outside);
    return () => {
      document.removeEventListener("pointerdown", outside);
      document.removeEventListener("focusin", outside);
    };
  }, [open]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (!open) return;
    const list = items(root.current);
    const at = list.indexOf(document.activeElement as HTMLElement);
    const to = (n: number) => {
      event.preventDefault();
      list[(n + list.length) % list.length]?.focus();
    };
    if (event.key === "ArrowDown") to(at + 1);
    else if (event.key === "ArrowUp") to(at - 1);
    else if (event.key === "Home") to(0);
    else if (event.key === "End") to(-1);
    else if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      close(true);
    } else if (event.key.length === 1 && /\S/.test(event.key) && !event.ctrlKey && !event.metaKey) {
      const letter = event.key.toLowerCase();
      const order = [...list.slice(at + 1), ...list.slice(0, at + 1)];
      order.find((item) => item.textContent?.trim().toLowerCase().startsWith(letter))?.focus();
    }
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys belong to the items inside
    <div class="menu" ref={root} onKeyDown={onKeyDown}>
      <button
        type="button"
        class={buttonClass}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        aria-label={named ? undefined : label}
        onClick={() => (open ? close(false) : setOpen(true))}
        onKeyDown={(event) => {
          if (open || (event.key !== "ArrowDown" && event.key !== "ArrowUp")) return;
          event.preventDefault();
          setOpen(true);
        }}
      >
        {button}
      </button>
      {open && (
        // biome-ignore lint/a11y/useKeyWithClickEvents: the items are buttons, this only closes after them
        <div
          id={id}
          class={`menu-list menu-${place} menu-${align}`}
          role="menu"
          aria-label={label}
          tabIndex={-1}
          onClick={(event) => {
            const item = (event.target as Element).closest('[role^="menuitem"]');
            if (item && !item.hasAttribute("data-stay")) close(!item.hasAttribute("href"));
          }}
        >
          {children}
        </div>
      )}
    </div>
  );
}

interface Item {
  icon?: IconName;
  children: ComponentChildren;
  onSelect?: () => void;
  href?: string;
  hint?: string;
  disabled?: boolean;
}

export function MenuItem({ icon, children, onSelect, href, hint, disabled = false }: Item) {
  const inner = (
    <>
      {icon && <Icon name={icon} />}
      <span>{children}</span>
      {hint && <kbd>{hint}</kbd>}
    </>
  );
  if (href) {
    return (
      <a class="menu-item" role="menuitem" tabIndex={-1} href={href} onClick={onSelect}>
        {inner}
      </a>
    );
  }
  return (
    <button
      type="button"
      class="menu-item"
      role="menuitem"
      tabIndex={-1}
      aria-disabled={disabled || undefined}
      onClick={() => !disabled && onSelect?.()}
    >
      {inner}
    </button>
  );
}

interface Tick {
  onSelect: () => void;
  icon?: IconName;
  children: ComponentChildren;
}

const Ticked = ({ on, icon, children }: Pick<Tick, "icon" | "children"> & { on: boolean }) => (
  <>
    {icon && <Icon name={icon} />}
    <span>{children}</span>
    {on && <Icon name="check" />}
  </>
);

/** One of several; `aria-checked` tells which. */
export const MenuChoice = ({ chosen, onSelect, ...rest }: Tick & { chosen: boolean }) => (
  <button type="button" class="menu-item" role="menuitemradio" tabIndex={-1} aria-checked={chosen} onClick={onSelect}>
    <Ticked on={chosen} {...rest} />
  </button>
);

/** Something that is on or off. */
export const MenuCheck = ({ on, onSelect, ...rest }: Tick & { on: boolean }) => (
  <button type="button" class="menu-item" role="menuitemcheckbox" tabIndex={-1} aria-checked={on} onClick={onSelect}>
    <Ticked on={on} {...rest} />
  </button>
);

export const MenuLine = () => <hr class="menu-line" />;
