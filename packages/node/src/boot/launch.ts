/**
 * What the application will find around it once it runs. PM2 preloads us into a program of its own, which only then takes
 * over the application's variables and folder; until then they are in `pm2_env` (pm2/lib/ProcessContainer.js, PM2 7).
 */

export interface Launch {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** The application's main file, as far as it is known. */
  readonly program: string | undefined;
  /** Set where PM2 runs the process. */
  readonly pm2: Pm2 | undefined;
}

export interface Pm2 {
  /** Between SIGINT and SIGKILL, in ms. */
  readonly killTimeoutMs: number;
}

type Env = Readonly<Record<string, string | undefined>>;

/** PM2's default. */
const KILL_TIMEOUT_MS = 1_600;

/** Never throws: what cannot be read is taken for not being there. */
export function readLaunch(env: Env, cwd: () => string, argv: readonly string[]): Launch {
  const own = { ...env, ...readPm2Env(env["pm2_env"]) };
  const managed = own["pm_id"] !== undefined && own["pm_exec_path"] !== undefined;
  return {
    env: own,
    cwd: env["pm2_env"] === undefined ? cwd() : (own["pm_cwd"] ?? own["PWD"] ?? cwd()),
    program: managed ? own["pm_exec_path"] : argv[1],
    pm2: managed
      ? { killTimeoutMs: positive(own["kill_timeout"] ?? own["PM2_KILL_TIMEOUT"]) ?? KILL_TIMEOUT_MS }
      : undefined,
  };
}

/** Values as an environment has them: PM2 assigns each to `process.env`, which makes text of it. */
function readPm2Env(text: string | undefined): Record<string, string> {
  if (text === undefined) return {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return {};
    return Object.fromEntries(Object.entries(parsed).map(([name, value]) => [name, String(value)]));
  } catch {
    return {};
  }
}

function positive(text: string | undefined): number | undefined {
  const number = Number(text);
  return number > 0 ? number : undefined;
}
