import type { Ref } from "preact";

interface Props {
  id: string;
  label: string;
  value: string;
  onInput: (value: string) => void;
  type?: "text" | "email" | "date";
  error?: string | undefined;
  hint?: string | undefined;
  placeholder?: string;
  autoComplete?: "email" | "one-time-code" | "name" | "username" | "off";
  inputMode?: "text" | "numeric" | "email";
  min?: string;
  required?: boolean;
  disabled?: boolean;
  /** Takes the focus when the page is entered. */
  first?: boolean;
  inputClass?: string;
  inputRef?: Ref<HTMLInputElement>;
}

const TYPES = { text: { type: "text" }, email: { type: "email" }, date: { type: "date" } } as const;

/** A labelled input with its hint and its error; the error is announced and tied to the input. */
export const Field = ({
  id,
  label,
  error,
  hint,
  inputRef,
  onInput,
  first,
  inputClass,
  type = "text",
  ...input
}: Props) => (
  <div class="field">
    <label for={id}>{label}</label>
    <input
      {...TYPES[type]}
      id={id}
      name={id}
      ref={inputRef ?? null}
      class={inputClass}
      spellcheck={false}
      autocapitalize="none"
      data-first={first || undefined}
      aria-invalid={error ? true : undefined}
      aria-describedby={error ? `${id}-error` : hint ? `${id}-hint` : undefined}
      onInput={(event) => onInput(event.currentTarget.value)}
      {...input}
    />
    {hint && !error && (
      <p class="hint" id={`${id}-hint`}>
        {hint}
      </p>
    )}
    {error && (
      <p class="field-error" id={`${id}-error`} role="alert">
        {error}
      </p>
    )}
  </div>
);
