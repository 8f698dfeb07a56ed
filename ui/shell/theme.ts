import { effect, signal } from "@preact/signals";
import { cookie, setCookie } from "../cookies";

export type Appearance = "light" | "dark" | "system";

const read = (): Appearance => {
  const value = typeof document === "undefined" ? null : cookie("appearance");
  return value === "light" || value === "dark" ? value : "system";
};

/** The person's choice; ui/theme.ts applies it before the first paint, this module from then on. */
export const appearance = signal<Appearance>(read());

export function chooseAppearance(choice: Appearance) {
  appearance.value = choice;
  setCookie("appearance", choice, 31_536_000);
}

/** Keeps the class on `<html>` in step with choice and system. Call once at boot. */
export function watchTheme() {
  const light = matchMedia("(prefers-color-scheme: light)");
  const system = signal(light.matches);
  light.addEventListener("change", () => {
    system.value = light.matches;
  });
  effect(() => {
    const theme = appearance.value === "system" ? (system.value ? "light" : "dark") : appearance.value;
    const root = document.documentElement;
    root.classList.toggle("light", theme === "light");
    root.classList.toggle("dark", theme === "dark");
    root.style.colorScheme = theme;
  });
}
