import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from "bun:test";
import { GlobalWindow } from "happy-dom";
import type { ComponentChild } from "preact";

/** A DOM for this file alone; without layout, so nothing here is about size or place. */
const names = [
  "window",
  "document",
  "navigator",
  "location",
  "history",
  "HTMLElement",
  "HTMLInputElement",
  "HTMLTextAreaElement",
  "Element",
  "Node",
  "Event",
  "MouseEvent",
  "KeyboardEvent",
  "CustomEvent",
  "addEventListener",
  "removeEventListener",
  "requestAnimationFrame",
  "cancelAnimationFrame",
  "getComputedStyle",
  "matchMedia",
] as const;
const before = new Map<string, PropertyDescriptor | undefined>();
let window: GlobalWindow;

beforeAll(() => {
  window = new GlobalWindow({ url: "https://oa.test/" });
  for (const name of names) {
    before.set(name, Object.getOwnPropertyDescriptor(globalThis, name));
    const value = name === "window" ? window : (window as unknown as Record<string, unknown>)[name];
    const bound = typeof value === "function" && /^[a-z]/.test(name) ? (value as () => void).bind(window) : value;
    Object.defineProperty(globalThis, name, { value: bound, configurable: true, writable: true });
  }
});
afterAll(async () => {
  for (const [name, old] of before) {
    if (old) Object.defineProperty(globalThis, name, old);
    else Reflect.deleteProperty(globalThis, name);
  }
  await window.happyDOM.close();
});
afterEach(async () => {
  const { render } = await import("preact");
  render(null, document.body);
});

async function show(node: ComponentChild) {
  const { render } = await import("preact");
  const { act } = await import("preact/test-utils");
  await act(() => render(node, document.body));
}
async function acting(work: () => void) {
  const { act } = await import("preact/test-utils");
  await act(work);
}
const role = (name: string) => [...document.querySelectorAll(`[role="${name}"]`)];
const text = () => document.body.textContent ?? "";
const click = (target: Element | undefined) =>
  acting(() => target?.dispatchEvent(new MouseEvent("click", { bubbles: true })));
const press = (target: Element | null, key: string) =>
  acting(() => target?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true })));

test("a crash stays where it happened, and is tried again on request or on a change", async () => {
  const { Contain } = await import("../../../ui/parts/contain");
  const complain = jest.spyOn(console, "error").mockImplementation(() => {});
  let broken = true;
  const Card = () => {
    if (broken) throw new Error("no");
    return <p>fine</p>;
  };
  const tree = (reset: number) => (
    <div>
      <Contain
        reset={reset}
        fallback={(error, again) => (
          <button type="button" onClick={again}>
            failed: {error.message}
          </button>
        )}
      >
        <Card />
      </Contain>
      <p>neighbour</p>
    </div>
  );
  await show(tree(1));
  expect(text()).toBe("failed: noneighbour");
  await click(document.querySelector("button") ?? undefined);
  expect(text()).toContain("failed");
  broken = false;
  await click(document.querySelector("button") ?? undefined);
  expect(text()).toBe("fineneighbour");
  broken = true;
  await show(tree(2));
  expect(text()).toContain("failed");
  broken = false;
  await show(tree(3));
  expect(text()).toBe("fineneighbour");
  complain.mockRestore();
});

describe("toasts", () => {
  test("three at most, a name is there once, the action runs and takes it away", async () => {
    const { toast, Toasts } = await import("../../../ui/parts/toast");
    await show(<Toasts />);
    let undone = 0;
    await acting(() => {
      for (const word of ["one", "two", "three"]) toast(word, { stay: null });
      toast("four", { stay: null, action: { label: "Undo", run: () => undone++ } });
      toast("Saved", { stay: null, name: "save" });
      toast("Saved again", { stay: null, name: "save" });
    });
    expect([...document.querySelectorAll("li > span")].map((one) => one.textContent)).toEqual([
      "three",
      "four",
      "Saved again",
    ]);
    await click([...document.querySelectorAll("button")].find((one) => one.textContent === "Undo"));
    expect(undone).toBe(1);
    expect([...document.querySelectorAll("li > span")].map((one) => one.textContent)).toEqual(["three", "Saved again"]);
    await press(document.body, "Escape");
    expect([...document.querySelectorAll("li > span")].map((one) => one.textContent)).toEqual(["three"]);
    await press(document.body, "Escape");
  });
});

describe("a menu", () => {
  test("opens by key, moves by arrows and letters, closes by Esc and by a choice, and gives the focus back", async () => {
    const { Menu, MenuItem, MenuChoice } = await import("../../../ui/parts/menu");
    const chosen: string[] = [];
    await show(
      <Menu label="More" button="…">
        <MenuItem onSelect={() => chosen.push("copy")}>Copy</MenuItem>
        <MenuChoice chosen onSelect={() => chosen.push("dark")}>
          Dark
        </MenuChoice>
        <MenuItem disabled onSelect={() => chosen.push("never")}>
          Delete
        </MenuItem>
      </Menu>,
    );
    const button = document.querySelector("button");
    expect(button?.getAttribute("aria-expanded")).toBe("false");
    await press(button, "ArrowDown");
    expect(button?.getAttribute("aria-expanded")).toBe("true");
    expect(document.activeElement?.textContent).toBe("Dark");
    await press(document.activeElement, "ArrowDown");
    await press(document.activeElement, "ArrowDown");
    expect(document.activeElement?.textContent).toBe("Copy");
    await press(document.activeElement, "d");
    expect(document.activeElement?.textContent).toBe("Dark");
    await press(document.activeElement, "Escape");
    expect(role("menu")).toEqual([]);
    expect(document.activeElement).toBe(button as Element);
    await click(button ?? undefined);
    await click(role("menuitem")[1]);
    await click(button ?? undefined);
    await click(role("menuitem")[0]);
    expect(chosen).toEqual(["copy"]);
  });
});

test("a field ties its error to its input and announces it", async () => {
  const { Field } = await import("../../../ui/parts/field");
  await show(
    <Field id="email" label="Email" value="x" onInput={() => {}} error="Not an address." hint="Work address" />,
  );
  const input = document.querySelector("input");
  expect(document.querySelector("label")?.getAttribute("for")).toBe("email");
  expect(input?.getAttribute("aria-invalid")).toBe("true");
  expect(document.getElementById(input?.getAttribute("aria-describedby") ?? "")?.textContent).toBe("Not an address.");
  expect(role("alert")).toHaveLength(1);
  await show(<Field id="email" label="Email" value="x" onInput={() => {}} hint="Work address" />);
  expect(document.querySelector("input")?.hasAttribute("aria-invalid")).toBe(false);
  expect(text()).toContain("Work address");
});

test("a failed read offers a retry and, for our own errors, the reference; a left page shows nothing", async () => {
  const { Failure } = await import("../../../ui/parts/states");
  let again = 0;
  const failure = { kind: "server" as const, message: "Something went wrong on our side.", requestId: "req_1" };
  await show(<Failure failure={failure} retry={() => again++} />);
  expect(text()).toContain("Reference: req_1");
  await click([...document.querySelectorAll("button")].find((one) => one.textContent === "Retry"));
  expect(again).toBe(1);
  await show(<Failure failure={{ ...failure, kind: "aborted" }} />);
  expect(text()).toBe("");
});

test("relative time has the exact one in its title", async () => {
  const { Ago } = await import("../../../ui/parts/time");
  const { minute } = await import("../../../ui/parts/clock");
  const at = Date.parse("2026-11-24T12:00:00Z");
  await acting(() => {
    minute.value = at + 180_000;
  });
  await show(<Ago at="2026-11-24T12:00:00Z" />);
  const time = document.querySelector("time");
  expect([time?.textContent, time?.getAttribute("datetime"), time?.title !== ""]).toEqual([
    "3 min ago",
    "2026-11-24T12:00:00.000Z",
    true,
  ]);
  await acting(() => {
    minute.value = at + 2 * 3_600_000;
  });
  expect(document.querySelector("time")?.textContent).toBe("2 h ago");
  await show(<Ago at="?" />);
  expect(text()).toBe("Unknown time");
});

test("initials", async () => {
  const { initials } = await import("../../../ui/shell/user-menu");
  expect(["Ana Ruiz", "Ana Maria  Ruiz", "ana", "", "  ", "élodie Ñ"].map(initials)).toEqual([
    "AR",
    "AR",
    "A",
    "",
    "",
    "ÉÑ",
  ]);
});

describe("an action", () => {
  /** Lets a request's answer, what it draws and where it puts the focus come about. */
  const settle = async () => {
    const { act } = await import("preact/test-utils");
    await act(() => new Promise<void>((done) => requestAnimationFrame(() => requestAnimationFrame(() => done()))));
  };
  const failure = async (status: number, body: object, headers: Record<string, string> = {}) => {
    const { failureOf } = await import("../../../ui/failure");
    return failureOf(status, new Headers(headers), JSON.stringify(body));
  };
  async function build() {
    const { useAction, Outcome } = await import("../../../ui/parts/action");
    type Action = import("../../../ui/parts/action").Action;
    let now!: Action;
    const Form = () => {
      now = useAction();
      return (
        <form>
          <input id="name" aria-invalid={now.field("name") ? true : undefined} />
          <button type="button" disabled={now.pending || now.wait > 0}>
            {now.pending ? "Saving..." : "Save"}
          </button>
          <Outcome action={now} fields={["name"]} />
        </form>
      );
    };
    await show(<Form />);
    return { action: () => now, button: () => document.querySelector("button") };
  }

  test("is done once at a time, and says so", async () => {
    const { action, button } = await build();
    let runs = 0;
    let finish = (_: null) => {};
    const request = () => {
      runs += 1;
      return new Promise<null>((done) => {
        finish = done;
      });
    };
    await acting(() => {
      void action().run(request, "Saved");
      void action().run(request, "Saved");
    });
    expect([runs, button()?.disabled, button()?.textContent]).toEqual([1, true, "Saving..."]);
    await acting(() => finish(null));
    await settle();
    expect([button()?.disabled, text()]).toEqual([false, "SaveSaved"]);
  });

  test("refused for a field: the field has the message and the focus, the bar says nothing twice", async () => {
    const { action } = await build();
    const why = await failure(422, { message: "no", errors: { name: ["The name field is required."] } });
    await acting(() => void action().run(() => Promise.resolve(why)));
    await settle();
    expect(action().field("name")).toBe("The name field is required.");
    expect(text()).toBe("Save");
    expect(document.activeElement?.id).toBe("name");
  });

  test("refused for something that has no field: its message is told", async () => {
    const { action } = await build();
    const why = await failure(422, { message: "no", errors: { other: ["The other field is wrong."] } });
    await acting(() => void action().run(() => Promise.resolve(why)));
    await settle();
    expect(role("alert").map((one) => one.textContent)).toEqual(["The other field is wrong."]);
  });

  test("too many: a countdown, and nothing runs before it ends", async () => {
    const { action, button } = await build();
    const why = await failure(429, { message: "Too Many Attempts." }, { "retry-after": "37" });
    await acting(() => void action().run(() => Promise.resolve(why)));
    await settle();
    expect(text()).toContain("Too many requests. Try again in 37s.");
    expect(button()?.disabled).toBe(true);
    let runs = 0;
    await acting(() => void action().run(() => Promise.resolve(null).finally(() => (runs += 1))));
    await settle();
    expect(runs).toBe(0);
  });

  test("our own failure shows the reference to quote", async () => {
    const { action } = await build();
    const why = await failure(500, { message: "boom" }, { "x-request-id": "req_1" });
    await acting(() => void action().run(() => Promise.resolve(why)));
    await settle();
    expect(role("alert")[0]?.textContent).toContain("Something went wrong on our side.Reference: req_1");
  });
});
