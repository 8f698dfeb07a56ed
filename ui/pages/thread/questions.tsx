import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../../parts/icons";
import { fields, list, text } from "../../transcript/fields";
import type { Ask } from "../../transcript/transcript";
import { answer, answerOf } from "./answer";
import { headline, Progress } from "./ask-line";
import type { Conversation } from "./conversation";
import { watchAsk } from "./waiting";

interface Question {
  id: string;
  header: string;
  question: string;
  options: { label: string; description: string }[];
  other: boolean;
  secret: boolean;
}

/** What is asked, as questions: Codex's own, or the fields of an elicitation form. */
export function questionsOf(ask: Ask): Question[] {
  if (ask.method === "item/tool/requestUserInput") {
    return list(ask.params.questions)
      .map(fields)
      .map((raw) => ({
        id: text(raw, "id") ?? "",
        header: text(raw, "header") ?? "",
        question: text(raw, "question") ?? "",
        options: list(raw.options)
          .map(fields)
          .map((option) => ({ label: text(option, "label") ?? "", description: text(option, "description") ?? "" })),
        other: raw.isOther === true || list(raw.options).length === 0,
        secret: raw.isSecret === true,
      }));
  }
  const properties = fields(fields(ask.params.requestedSchema).properties);
  return Object.entries(properties).map(([id, raw]) => {
    const schema = fields(raw);
    const yesNo = schema.type === "boolean";
    const names = yesNo ? ["true", "false"] : list(schema.enum).map(String);
    return {
      id,
      header: text(schema, "title") ?? id,
      question: text(schema, "description") ?? "",
      options: names.map((label) => ({ label: yesNo ? (label === "true" ? "Yes" : "No") : label, description: "" })),
      other: names.length === 0,
      secret: false,
    };
  });
}

/** A question with options as radio cards, free text, or a secret that is never shown again. */
export function Questions({ talk, ask }: { talk: Conversation; ask: Ask }) {
  const card = useRef<HTMLElement>(null);
  const questions = questionsOf(ask);
  const elicited = ask.method === "mcpServer/elicitation/request";
  const [picked, pick] = useState<Record<string, string>>({});
  const [typed, type] = useState<Record<string, string>>({});
  const mine = answerOf(ask.id);
  const locked = mine.state === "sending" || ask.answerId !== null;
  useEffect(() => (card.current ? watchAsk(ask.id, card.current) : undefined), [ask.id]);

  const givenTo = ({ id, options }: Question) =>
    options.length === 0 || picked[id] === OTHER ? (typed[id] ?? "").trim() : (picked[id] ?? "");
  const complete = questions.every((question) => givenTo(question) !== "");
  const send = (event: Event) => {
    event.preventDefault();
    if (!complete || locked) return;
    const response = elicited
      ? { action: "accept", content: contentOf(ask, questions, givenTo), _meta: null }
      : { answers: Object.fromEntries(questions.map((one) => [one.id, { answers: [givenTo(one)] }])) };
    void answer(talk, ask, { body: { response }, label: "Answered" });
  };
  const link = elicited ? text(ask.params, "url") : null;
  return (
    <article
      ref={card}
      class="card ask"
      data-row={`ask ${ask.id}`}
      data-ask={ask.id}
      tabIndex={-1}
      aria-label={headline(ask)}
    >
      <header>
        <Icon name="chat" />
        <span class="card-name">{headline(ask)}</span>
      </header>
      {elicited && text(ask.params, "message") && <p class="why">{text(ask.params, "message")}</p>}
      {link && /^https?:/i.test(link) && (
        <p class="why">
          <a href={link} target="_blank" rel="noopener noreferrer nofollow">
            {link}
          </a>
        </p>
      )}
      <form onSubmit={send}>
        {questions.map((question) => (
          <fieldset key={question.id} class="question" disabled={locked}>
            <legend>
              <b>{question.header}</b> {question.question}
            </legend>
            {question.options.map((option) => (
              <label key={option.label} class="option">
                <input
                  type="radio"
                  name={`${ask.id} ${question.id}`}
                  checked={picked[question.id] === option.label}
                  onChange={() => pick({ ...picked, [question.id]: option.label })}
                />
                <span>
                  {option.label}
                  {option.description && <small>{option.description}</small>}
                </span>
              </label>
            ))}
            {question.options.length > 0 && question.other && (
              <label class="option">
                <input
                  type="radio"
                  name={`${ask.id} ${question.id}`}
                  checked={picked[question.id] === OTHER}
                  onChange={() => pick({ ...picked, [question.id]: OTHER })}
                />
                <span>Something else</span>
              </label>
            )}
            {(question.options.length === 0 || picked[question.id] === OTHER) && (
              <Typed
                secret={question.secret}
                label={question.header || question.question}
                value={typed[question.id] ?? ""}
                onType={(value) => type({ ...typed, [question.id]: value })}
              />
            )}
          </fieldset>
        ))}
        <div class="acts">
          <button type="submit" class="button small main" disabled={locked || !complete}>
            Answer
          </button>
          {elicited && (
            <button
              type="button"
              class="button small"
              disabled={locked}
              onClick={() => void answer(talk, ask, { body: { decision: "decline" }, label: "Declined" })}
            >
              Decline
            </button>
          )}
          <Progress ask={ask} />
        </div>
      </form>
      {mine.state === "failed" && (
        <p class="ask-error" role="alert">
          {mine.why}
        </p>
      )}
    </article>
  );
}

function Typed({
  secret,
  label,
  value,
  onType,
}: {
  secret: boolean;
  label: string;
  value: string;
  onType: (value: string) => void;
}) {
  const rest = {
    class: "answer-text",
    autocomplete: "off" as const,
    "aria-label": label,
    value,
    onInput: (event: { currentTarget: HTMLInputElement }) => onType(event.currentTarget.value),
  };
  return secret ? <input type="password" {...rest} /> : <input type="text" {...rest} />;
}

/** The value of the choice that opens the text field; no label can be it. */
const OTHER = "\u0000other";

function contentOf(ask: Ask, questions: Question[], givenTo: (question: Question) => string): Record<string, unknown> {
  const properties = fields(fields(ask.params.requestedSchema).properties);
  return Object.fromEntries(
    questions.map((question) => {
      const { type } = fields(properties[question.id]);
      const value = givenTo(question);
      if (type === "boolean") return [question.id, value === "Yes"];
      if (type === "number" || type === "integer") return [question.id, Number(value)];
      return [question.id, value];
    }),
  );
}
