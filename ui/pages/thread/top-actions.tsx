import { copy } from "../../parts/copy";
import { Dot } from "../../parts/dot";
import { Icon } from "../../parts/icons";
import { Menu, MenuItem, MenuLine } from "../../parts/menu";
import { toast } from "../../parts/toast";
import { mac } from "../../shell/keys";
import { threadPath } from "../../shell/routes";
import type { LogProps } from "./chat";
import { exportThread } from "./export";
import { openFind } from "./find";

/** Status of the thread and what can be done with it, in the bar above the page. */
export function TopActions({ talk }: LogProps) {
  const { running, pending, status } = talk.head.value;
  const current = talk.current.value;
  const state =
    pending.length > 0
      ? { tone: "warn" as const, word: "Waiting for you" }
      : running && current
        ? { tone: "busy" as const, word: running.stopping ? "Stopping" : "Working" }
        : status === "system_error"
          ? { tone: "bad" as const, word: "Error" }
          : null;
  return (
    <>
      {state && (
        <span class="chip hide-phone">
          <Dot tone={state.tone} />
          {state.word}
        </span>
      )}
      <Menu label="Conversation menu" buttonClass="icon-button" align="end" button={<Icon name="dots" />}>
        <MenuItem icon="search" hint={mac ? "⌘F" : "Ctrl+F"} onSelect={() => openFind(talk)}>
          Find in thread
        </MenuItem>
        <MenuItem
          icon="link"
          onSelect={() =>
            void copy(location.origin + threadPath(talk.threadId)).then((done) =>
              toast(done ? "Link copied." : "Copying failed.", { stay: 2000 }),
            )
          }
        >
          Copy link
        </MenuItem>
        <MenuLine />
        <MenuItem icon="download" onSelect={() => void exportThread(talk, "markdown")}>
          Save as Markdown
        </MenuItem>
        <MenuItem icon="download" onSelect={() => void exportThread(talk, "json")}>
          Save as JSON
        </MenuItem>
      </Menu>
    </>
  );
}
