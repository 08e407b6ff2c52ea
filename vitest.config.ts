import { defineConfig } from "vitest/config";

// Sources are imported directly through the `@inmesh/source` condition, so tests need no build.
export default defineConfig({
  resolve: { conditions: ["@inmesh/source", "node", "import", "default"] },
  ssr: { resolve: { conditions: ["@inmesh/source", "node", "import", "default"] } },
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    exclude: ["**/dist/**", "**/node_modules/**"],
    testTimeout: 10_000,
  },
});
