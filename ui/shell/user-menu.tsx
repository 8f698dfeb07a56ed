import { Icon, type IconName } from "../parts/icons";
import { Menu, MenuCheck, MenuChoice, MenuItem, MenuLine } from "../parts/menu";
import { toast } from "../parts/toast";
import { logOut, type User } from "../session";
import { track } from "../telemetry/track";
import { overlay } from "./keys";
import { canNotify, notices, toggleNotices } from "./notices";
import { type Appearance, appearance, chooseAppearance } from "./theme";

/** First letters of the first and last word, upper-cased; one word gives one, an empty name none (web-ui 3.2). */
export function initials(name: string): string {
  const words = name.split(" ").filter(Boolean);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : [words[0]];
  return letters
    .map((word) => [...(word ?? "")][0] ?? "")
    .join("")
    .toUpperCase();
}

const THEMES: { choice: Appearance; icon: IconName; text: string }[] = [
  { choice: "light", icon: "sun", text: "Light" },
  { choice: "dark", icon: "moon", text: "Dark" },
  { choice: "system", icon: "machine", text: "System" },
];

async function leave() {
  track("sidebar_user_menu.logout_clicked");
  const failure = await logOut();
  if (failure) toast(failure.message, { tone: "bad" });
}

export function UserMenu({ user }: { user: User }) {
  return (
    <div class="me">
      <Menu
        place="above"
        label="Account"
        named
        buttonClass="me-button"
        button={
          <>
            <span class="face" aria-hidden="true">
              {initials(user.name)}
            </span>
            <span>
              <span class="sr-only">Account: </span>
              <span>{user.name}</span> <small>{user.email}</small>
            </span>
          </>
        }
      >
        <p class="menu-label">Theme</p>
        {THEMES.map(({ choice, icon, text }) => (
          <MenuChoice
            key={choice}
            icon={icon}
            chosen={appearance.value === choice}
            onSelect={() => chooseAppearance(choice)}
          >
            {text}
          </MenuChoice>
        ))}
        <MenuLine />
        <MenuItem icon="gear" href="/settings/profile" onSelect={() => track("sidebar_user_menu.settings_clicked")}>
          Settings
        </MenuItem>
        <MenuItem icon="plus" href="/pair">
          Pair a machine
        </MenuItem>
        {canNotify && (
          <MenuCheck icon="bell" on={notices.value} onSelect={() => void toggleNotices()}>
            Desktop notifications
          </MenuCheck>
        )}
        <MenuItem icon="keyboard" hint="?" onSelect={() => (overlay.value = "shortcuts")}>
          Keyboard shortcuts
        </MenuItem>
        <MenuLine />
        <MenuItem icon="logout" onSelect={() => void leave()}>
          Log out
        </MenuItem>
      </Menu>
    </div>
  );
}

/** The guests' theme switch. */
export const ThemeSwitch = () => (
  <fieldset class="choices" aria-label="Theme">
    {THEMES.map(({ choice, icon, text }) => (
      <button
        key={choice}
        type="button"
        aria-pressed={appearance.value === choice}
        aria-label={text}
        title={text}
        onClick={() => chooseAppearance(choice)}
      >
        <Icon name={icon} />
      </button>
    ))}
  </fieldset>
);
