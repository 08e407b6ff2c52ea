/** What a shell loads so that TAB completes `inmesh`: it asks the program itself, so it never goes stale. */

export const SHELLS = ["bash", "zsh", "fish", "powershell"] as const;

export type Shell = (typeof SHELLS)[number];

/** Printed in place of candidates: the shell shall complete files. */
export const FILES_MARK = ":files";

/** Name of the hidden command that answers. */
export const ASKED = "__complete";

/** How each shell is told for good. */
export const INSTALL: Readonly<Record<Shell, string>> = {
  bash: "echo 'source <(inmesh completion bash)' >> ~/.bashrc",
  zsh: "echo 'source <(inmesh completion zsh)' >> ~/.zshrc   (after compinit)",
  fish: "inmesh completion fish > ~/.config/fish/completions/inmesh.fish",
  powershell: "Add-Content $PROFILE 'inmesh completion powershell | Out-String | Invoke-Expression'",
};

const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `# Completion of inmesh for bash: source <(inmesh completion bash)
_inmesh() {
  local answer line current="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  answer=$("\${COMP_WORDS[0]}" ${ASKED} -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null) || return 0
  if [[ $answer == ${FILES_MARK} ]]; then
    compopt -o filenames 2>/dev/null
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$current")
    return 0
  fi
  while IFS=$'\\t' read -r line _; do
    [[ -n $line ]] && COMPREPLY+=("$line")
  done <<< "$answer"
  if [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == */ ]]; then compopt -o nospace 2>/dev/null; fi
  return 0
}
complete -F _inmesh inmesh
`,
  zsh: `#compdef inmesh
# Completion of inmesh for zsh: source <(inmesh completion zsh)
_inmesh() {
  local answer line
  local -a values shown
  answer=$("\${words[1]}" ${ASKED} -- "\${(@)words[2,CURRENT]}" 2>/dev/null) || return 1
  [[ -z $answer ]] && return 1
  if [[ $answer == ${FILES_MARK} ]]; then
    _files
    return
  fi
  for line in "\${(@f)answer}"; do
    values+=("\${line%%$'\\t'*}")
    if [[ $line == *$'\\t'?* ]]; then shown+=("\${line%%$'\\t'*}  -- \${line#*$'\\t'}"); else shown+=("\${line%%$'\\t'*}"); fi
  done
  compadd -l -d shown -a values
}
if [[ \${funcstack[1]} == _inmesh ]]; then
  _inmesh "$@"
else
  compdef _inmesh inmesh
fi
`,
  fish: `# Completion of inmesh for fish: inmesh completion fish > ~/.config/fish/completions/inmesh.fish
function __inmesh_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l answer ($before[1] ${ASKED} -- $before[2..-1] "$current" 2>/dev/null)
    if test "$answer" = "${FILES_MARK}"
        __fish_complete_path "$current"
    else
        printf '%s\\n' $answer
    end
end
complete -c inmesh -f -a '(__inmesh_complete)'
`,
  // It completes files by itself where the script says nothing; an empty text keeps it from doing so.
  powershell: `# Completion of inmesh for PowerShell: inmesh completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName inmesh -ScriptBlock {
    param($current, $line, $cursor)
    $before = @($line.CommandElements | Select-Object -Skip 1 | Where-Object { $_.Extent.EndOffset -lt $cursor } | ForEach-Object {
        if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value } else { $_.Extent.Text }
    })
    # The older way of passing arguments leaves out an empty one unless its quotes are written.
    $legacy = $PSVersionTable.PSVersion -lt [version]'7.3.0' -or $PSNativeCommandArgumentPassing -eq 'Legacy'
    if ($current -eq '' -and $legacy) { $current = '""' }
    $asked = @('${ASKED}', '--') + $before + @($current)
    $answer = @(& $line.GetCommandName() @asked 2>$null)
    if ($answer.Count -eq 0) { return '' }
    if ($answer[0] -eq '${FILES_MARK}') { return }
    foreach ($found in $answer) {
        $value, $text = $found -split '\\t', 2
        if (-not $text) { $text = $value }
        [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $text)
    }
}
`,
};

export function shellScript(shell: Shell): string {
  return SCRIPTS[shell];
}
