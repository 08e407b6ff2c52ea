import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { COMMANDS } from "../commands.js";
import { REVIEWS } from "../testing/policy.js";
import { runCli, TemporaryFolder } from "../testing/run-cli.js";
import { SHELLS, type Shell } from "./shell-script.js";

const BIN = fileURLToPath(new URL("../../bin/inmesh.js", import.meta.url));
const BUILT = existsSync(fileURLToPath(new URL("../../dist/main.js", import.meta.url)));

/** Candidates for the last of `words`, without what they mean. */
async function complete(words: readonly string[], cwd: string): Promise<string[]> {
  const { code, stdout, stderr } = await runCli(["__complete", "--", ...words], { cwd });
  expect([code, stderr]).toEqual([0, ""]);
  return stdout.split("\n").flatMap((line) => line.split("\t")[0] || []);
}

function shop(): TemporaryFolder {
  const folder = new TemporaryFolder();
  folder.write("mesh/reviews.yaml", REVIEWS);
  return folder;
}

describe("completion", () => {
  it.each([
    [["a"], ["analyze", "apply", "authz"]],
    [["co"], ["convert", "completion"]],
    [["--v"], ["--version"]],
    [["routes", "--fr"], ["--from"]],
    [["routes", "--from", ""], ["reviews"]],
    [["routes", "rev"], ["reviews"]],
    [["routes", "-n", "shop", ""], ["reviews"]],
    [["routes", "reviews", ""], []],
    [["get", "-n", ""], ["shop"]],
    [["get", "virtualservice/"], ["virtualservice/reviews"]],
    [["get", "-o", "w"], ["wide"]],
    [["get", "--output=w"], []],
    [["get", "--output", "=", "w"], ["wide"]],
    [
      ["validate", "-o", ""],
      ["table", "json", "yaml"],
    ],
    [
      ["explain", "P"],
      ["POST", "PUT", "PATCH"],
    ],
    [
      ["completion", ""],
      ["bash", "zsh", "fish", "powershell"],
    ],
    [
      ["help", "IST013"],
      ["IST0130", "IST0131", "IST0132", "IST0133", "IST0134"],
    ],
    [["help", "ed"], ["edges"]],
    [["apply", "-f", ""], [":files"]],
    [["run", "--", "no"], [":files"]],
    [["nonsense", ""], []],
  ])("of %j is %j", async (words, expected) => {
    using folder = shop();
    expect(await complete(words, folder.path)).toEqual(expected);
  });

  it("offers every command that the help shows, and no other", async () => {
    using folder = shop();
    const help = (await runCli(["--help"])).stdout;
    const offered = await complete([""], folder.path);
    expect(offered).toHaveLength(COMMANDS.filter(({ hidden }) => hidden !== true).length);
    for (const name of offered) expect(help).toMatch(new RegExp(`^ {2}${name}\\b`, "m"));
    expect(help).not.toContain("__complete");
  });

  it("is silent about a registry that is not there", async () => {
    using folder = new TemporaryFolder();
    expect(await complete(["routes", ""], folder.path)).toEqual([]);
  });

  it("knows its shells", async () => {
    const { code, stderr } = await runCli(["completion", "tcsh"]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("Allowed choices are bash, zsh, fish, powershell.")]);
  });
});

/** Program of each shell; PowerShell's is that of version 7, which other systems than Windows have too. */
const PROGRAM: Readonly<Record<Shell, string>> = { bash: "bash", zsh: "zsh", fish: "fish", powershell: "pwsh" };

function installed(shell: Shell): boolean {
  return spawnSync(PROGRAM[shell], ["-c", "exit 0"]).status === 0;
}

/** What TAB would offer in a real shell that has loaded the script. The last word is the one being typed. */
const ASK: Readonly<Record<Shell, (words: readonly string[]) => string>> = {
  bash: (words) => `source <(inmesh completion bash)
COMP_WORDS=(inmesh ${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length}
_inmesh; printf '%s\\n' "\${COMPREPLY[@]}"`,
  // compadd works inside the line editor only: what it would be given is printed.
  zsh: (words) => `autoload -U compinit && compinit -u -D 2>/dev/null
source <(inmesh completion zsh)
[[ \${_comps[inmesh]} == _inmesh ]] || echo "not registered"
compadd() { print -rl -- "\${values[@]}" }
_files() { print -rl -- *(N) }
words=(inmesh ${words.map((word) => `'${word}'`).join(" ")}); CURRENT=${words.length + 1}; _inmesh || true`,
  fish: (words) => `inmesh completion fish | source
complete -C 'inmesh ${words.join(" ")}' | string replace -r '\\t.*' ''; or true`,
  powershell: (words) => `inmesh completion powershell | Out-String | Invoke-Expression
$line = 'inmesh ${words.join(" ")}'
(TabExpansion2 -inputScript $line -cursorColumn $line.Length).CompletionMatches | ForEach-Object { $_.CompletionText -replace '^\\.[\\\\/]', '' }`,
};

describe.runIf(BUILT).each(SHELLS)("completion in %s", (shell) => {
  if (!installed(shell)) {
    const required = process.env["INMESH_REQUIRE_SHELLS"] === "1";
    it.skipIf(!required)(`skipped: ${shell} is not installed`, () => expect(installed(shell)).toBe(true));
    return;
  }

  const ask = (words: readonly string[], cwd: string): string[] => {
    const bin = join(cwd, ".bin");
    if (!existsSync(bin)) {
      mkdirSync(bin);
      writeFileSync(join(bin, "inmesh"), `#!/bin/sh\nexec "${process.execPath}" "${BIN}" "$@"\n`);
      chmodSync(join(bin, "inmesh"), 0o755);
    }
    const env = { PATH: `${bin}:${process.env["PATH"]}`, HOME: cwd, TERM: "dumb", LC_ALL: "C.UTF-8" };
    const { stdout, stderr, status } = spawnSync(PROGRAM[shell], ["-c", ASK[shell](words)], {
      cwd,
      env,
      encoding: "utf8",
    });
    expect([status, stderr]).toEqual([0, ""]);
    return stdout.split("\n").filter((line) => line !== "");
  };

  it("completes commands, names of services, and files", { timeout: 30_000 }, () => {
    using folder = shop();
    expect(ask(["ap"], folder.path)).toEqual(["apply"]);
    expect(ask(["endpoints", "rev"], folder.path)).toEqual(["reviews"]);
    expect(ask(["apply", "-f", "me"], folder.path).map((name) => name.replace(/\/$/, ""))).toEqual(["mesh"]);
    expect(ask(["endpoints", "zzz"], folder.path)).toEqual([]);
  });
});
