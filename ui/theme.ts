/** Runs before the first paint, so that a page never flashes in the wrong theme (web-ui 4). Classic script, no imports. */
const chosen = /(?:^|; )appearance=(light|dark)/.exec(document.cookie)?.[1];
const theme = chosen ?? (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");
const root = document.documentElement;
root.classList.add(theme);
root.style.colorScheme = theme;
if (/(?:^|; )sidebar_state=false/.test(document.cookie)) root.classList.add("side-closed");
