import { defineConfig } from "vitest/config";

/**
 * Sources are imported directly through this condition of each package's exports, so tests need no build. "import" is not
 * among them: Vite adds it where it imports, and Node would take it for what a library requires, too.
 */
const conditions = ["@inmesh/source", "node"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    // The rest is for `npm run matrix`.
    exclude: ["**/dist/**", "**/node_modules/**", "**/*.matrix.test.ts"],
    testTimeout: 20_000,
    // The second one feeds the closing line of `npm test` (.ci/summary.mjs).
    reporters: ["default", "json"],
    outputFile: { json: "node_modules/.cache/test-results.json" },
  },
});
