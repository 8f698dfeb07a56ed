import type { Command } from "./command";
import { common } from "./help";

const top = ["serve", "worker", "ops", "doctor", "config", "version", "completion"];

const longs = (flags: string): string[] => [...flags.matchAll(/--[a-z][a-z-]*/g)].map(([flag]) => flag);

const optionsOf = ({ options = [] }: Command): string[] => [
  ...options.flatMap(({ flags }) => longs(flags)),
  ...common.flatMap(([flags]) => longs(flags)),
];

const underOps = (commands: Command[]) => commands.filter(({ name }) => !name.includes(" "));

const quoted = (text: string) => text.replaceAll("'", "'\\''");

function bash(commands: Command[]): string {
  const cases = underOps(commands).map((command) => `    ${command.name}) words='${optionsOf(command).join(" ")}' ;;`);
  const names = underOps(commands).map(({ name }) => name);
  return `# openagents completion bash
_openagents() {
  local words= line=\${COMP_LINE:0:COMP_POINT} current previous
  read -ra previous <<<"\${line% *}"
  current=\${line##* }
  if [[ \${#previous[@]} -eq 1 ]]; then words='${top.join(" ")}'
  elif [[ \${previous[1]} == config ]]; then words='check show'
  elif [[ \${previous[1]} == completion ]]; then words='bash zsh fish'
  elif [[ \${previous[1]} == ops && \${#previous[@]} -eq 2 ]]; then words='${names.join(" ")}'
  elif [[ \${previous[1]} == ops ]]; then case \${previous[2]} in
${cases.join("\n")}
  esac
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
    local prefix=\${current%"\${current##*:}"}
    COMPREPLY=("\${COMPREPLY[@]#"$prefix"}")
  fi
}
complete -F _openagents openagents
`;
}

function zsh(commands: Command[]): string {
  const names = underOps(commands).map(
    ({ name, summary }) => `    '${quoted(name.replaceAll(":", "\\:"))}:${quoted(summary.replaceAll(":", "\\:"))}'`,
  );
  const cases = underOps(commands).map(
    (command) => `      ${command.name}) compadd -- ${optionsOf(command).join(" ")} ;;`,
  );
  return `#compdef openagents
# openagents completion zsh
_openagents() {
  local -a commands
  commands=(
${names.join("\n")}
  )
  if (( CURRENT == 2 )); then compadd -- ${top.join(" ")}
  elif [[ \${words[2]} == config ]]; then compadd -- check show
  elif [[ \${words[2]} == completion ]]; then compadd -- bash zsh fish
  elif [[ \${words[2]} == ops ]]; then
    if (( CURRENT == 3 )); then _describe command commands
    else case \${words[3]} in
${cases.join("\n")}
    esac
    fi
  fi
}
compdef _openagents openagents
`;
}

function fish(commands: Command[]): string {
  const lines = underOps(commands).flatMap((command) => [
    `complete -c openagents -n '__fish_seen_subcommand_from ops' -a '${command.name}' -d '${quoted(command.summary)}'`,
    ...optionsOf(command).map(
      (flag) => `complete -c openagents -n '__fish_seen_subcommand_from ${command.name}' -l ${flag.slice(2)}`,
    ),
  ]);
  return `# openagents completion fish
complete -c openagents -f
complete -c openagents -n __fish_use_subcommand -a '${top.join(" ")}'
complete -c openagents -n '__fish_seen_subcommand_from config' -a 'check show'
complete -c openagents -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'
${lines.join("\n")}
`;
}

/** Scripts that a shell reads to complete commands and options; made from the command table. */
export const completions = { bash, zsh, fish };

export type Shell = keyof typeof completions;
