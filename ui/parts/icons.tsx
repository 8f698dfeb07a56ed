/** Line icons in a 24 box, drawn with the text's colour. Decorative: the control they stand in has the name. */
const PATHS = {
  plus: "M12 5v14M5 12h14",
  search: "M11 5a6 6 0 1 0 0 12 6 6 0 0 0 0-12M16 16l4 4",
  chat: "M4 5h16v11H9l-5 4z",
  login: "M14 4h5v16h-5M4 12h11M11 8l4 4-4 4",
  logout: "M10 4H5v16h5M9 12h11M16 8l4 4-4 4",
  "panel-open": "M4 5h16v14H4zM9 5v14M13 9l3 3-3 3",
  "panel-close": "M4 5h16v14H4zM9 5v14M16 9l-3 3 3 3",
  menu: "M4 7h16M4 12h16M4 17h16",
  down: "m6 9 6 6 6-6",
  up: "m6 15 6-6 6 6",
  right: "m9 6 6 6-6 6",
  left: "m15 6-6 6 6 6",
  terminal: "m5 8 4 4-4 4M12 16h7",
  file: "M7 3h7l4 4v14H7zM14 3v4h4",
  brain: "M12 4v16M8 6a3 3 0 0 0-3 4 3 3 0 0 0 1 5 3 3 0 0 0 6 2M16 6a3 3 0 0 1 3 4 3 3 0 0 1-1 5 3 3 0 0 1-6 2",
  shield: "M12 3 5 6v6c0 4 3 7 7 9 4-2 7-5 7-9V6zM12 9v4M12 16h.01",
  send: "M12 19V5M6 11l6-6 6 6",
  arrow: "M12 5v14M6 13l6 6 6-6",
  stop: "M7 7h10v10H7z",
  dots: "M6 12h.01M12 12h.01M18 12h.01",
  check: "m5 12 5 5 9-10",
  cross: "M6 6l12 12M18 6 6 18",
  ring: "M12 5a7 7 0 1 0 0 14 7 7 0 0 0 0-14",
  clip: "M8 12V7a4 4 0 0 1 8 0v8a6 6 0 0 1-12 0V8",
  copy: "M9 9h10v10H9zM5 15V5h10",
  machine: "M5 6h14v9H5zM3 18h18",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6 7 7M17 17l1.4 1.4M5.6 18.4 7 17M17 7l1.4-1.4",
  moon: "M20 14A8 8 0 0 1 10 4a8 8 0 1 0 10 10",
  keyboard: "M3 6h18v12H3zM7 10h.01M11 10h.01M15 10h.01M7 14h10",
  link: "M10 14l4-4M8 11l-2 2a3.5 3.5 0 0 0 5 5l2-2M16 13l2-2a3.5 3.5 0 0 0-5-5l-2 2",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  wrap: "M4 6h16M4 12h13a3 3 0 0 1 0 6h-4M15 15l-3 3 3 3M4 18h4",
  wrench: "M14 7a4 4 0 0 0 5 5l-9 9-4-4 9-9a4 4 0 0 1 4-5l-3 3z",
  globe: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18",
  eye: "M2 12c4-7 16-7 20 0-4 7-16 7-20 0M12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5",
  pencil: "M4 20l1-5L16 4l4 4L9 19z",
  quote: "M6 15c3 0 4-2 4-6H5v5h3M15 15c3 0 4-2 4-6h-5v5h3",
  retry: "M5 12a7 7 0 1 1 2 5M5 20v-4h4",
  gear: "M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4M4 12h2M10 12h10M8 10v4",
  phone: "M8 3h8v18H8zM11 18h2",
  key: "M8 11a4 4 0 1 0 0 8 4 4 0 0 0 0-8M11 12l8-8M16 7l3 3",
  bell: "M6 16V11a6 6 0 0 1 12 0v5l2 2H4zM10 21h4",
  alert: "M12 4 3 20h18zM12 10v4M12 17h.01",
} as const;

export type IconName = keyof typeof PATHS;

export const Icon = ({ name }: { name: IconName }) => (
  <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <path d={PATHS[name]} />
  </svg>
);
