import { defineConfig, type ViteUserConfig } from "vitest/config";

/**
 * Sources are imported directly through this condition of each package's exports, so tests need no build. "import" is not
 * among them: Vite adds it where it imports, and Node would take it for what a library requires, too.
 */
const SOURCES = ["@inmesh/source", "node"];

/**
 * Where all is built (`npm test`), suites take the packages as an application does, and those of packages take the packages below
 * them so: importing sources is most of what their files take. One that looks inside of another package would have its modules twice.
 */
const BUILT = /[\\/](test[\\/](?!grpc$)[^\\/]+|packages[\\/](cli|consul|grpc|identity|telemetry|testing|xds))$/;
const built = process.env["TEST_BUILT"] === "1" && BUILT.test(process.cwd());
const conditions = built ? ["node"] : SOURCES;

const NO_SOURCES = ["**/dist/**", "**/node_modules/**"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    // The rest is for `npm run matrix`.
    exclude: [...NO_SOURCES, "**/*.matrix.test.ts"],
    // A test leaves nothing behind that another one sees, so the modules are loaded once for all files: anew for each, they took
    // two thirds of the time. Who replaces a module says `isolate: true`.
    isolate: false,
    ...(built && { server: { deps: { external: [/\/dist\//] } } }),
    testTimeout: 20_000,
    // What a poll waits for comes with an event; a second (vitest's default) is short on a machine that runs everything at once.
    expect: { poll: { timeout: 10_000 } },
    // The second one feeds the closing lines of `npm test` and `npm run matrix` (.ci/summary.mjs).
    reporters: ["default", "json"],
    outputFile: { json: "node_modules/.cache/test-results.json" },
  },
});

const MATRIX_RESULTS = { json: "node_modules/.cache/matrix-results.json" };

/** What `npm test` has no time for, of the workspace with this configuration. */
export function matrixOf(workspace: ViteUserConfig): ViteUserConfig {
  const { test, ...rest } = workspace;
  return {
    ...rest,
    test: { ...test, include: ["src/**/*.matrix.test.ts"], exclude: NO_SOURCES, outputFile: MATRIX_RESULTS },
  };
}

/** Suites of `npm test` of which it takes a part only, in full. */
export function inFull(workspace: ViteUserConfig, include: string[]): ViteUserConfig {
  const { test, ...rest } = workspace;
  return {
    ...rest,
    test: { ...test, include, env: { INMESH_MATRIX: "1" }, testTimeout: 300_000, outputFile: MATRIX_RESULTS },
  };
}
