import type { Ref } from "preact";

interface Props {
  id: string;
  label: string;
  value: string;
  onInput: (value: string) => void;
  type?: "text" | "email";
  error?: string | undefined;
  hint?: string | undefined;
  placeholder?: string;
  autoComplete?: "email" | "one-time-code" | "off";
  inputMode?: "text" | "numeric" | "email";
  maxLength?: number;
  disabled?: boolean;
  /** Takes the focus when the page is entered. */
  first?: boolean;
  inputClass?: string;
  inputRef?: Ref<HTMLInputElement>;
}

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
      {...(type === "email" ? { type } : { type: "text" as const })}
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
