import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

interface Props {
  open: boolean;
  /** `Esc`, the backdrop, the browser's own close. */
  onClose: () => void;
  title: string;
  /** The title is for screen readers only. */
  quiet?: boolean;
  description?: string;
  class?: string;
  children: ComponentChildren;
}

/** A modal `<dialog>`: focus goes in and is kept, the rest is inert, focus returns to the opener. Children mount while open. */
export function Dialog({ open, onClose, title, quiet = false, description, class: name = "", children }: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    if (!dialog || !open) return;
    const opener = document.activeElement;
    dialog.showModal();
    return () => {
      dialog.close();
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus({ preventScroll: true });
    };
  }, [open]);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: a click on the backdrop; Esc is the dialog's own
    <dialog
      ref={ref}
      class={`dialog ${name}`}
      aria-labelledby={`${id}-title`}
      aria-describedby={description ? `${id}-text` : undefined}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => event.target === ref.current && onClose()}
    >
      {open && (
        <div class="dialog-body">
          <h2 id={`${id}-title`} class={quiet ? "sr-only" : "dialog-title"}>
            {title}
          </h2>
          {description && (
            <p id={`${id}-text`} class={quiet ? "sr-only" : "dialog-text"}>
              {description}
            </p>
          )}
          {children}
        </div>
      )}
    </dialog>
  );
}
