import { describe, expect, it } from "vitest";
import { registryContract } from "../testing/registry-contract.js";
import { MemoryRegistry } from "./memory-registry.js";

registryContract(
  "MemoryRegistry",
  async () => {
    const registry = new MemoryRegistry();
    return {
      store: registry,
      registrar: registry,
      openSource: () => registry.openSource(),
      openStore: () => registry,
      close: () => registry.close(),
    };
  },
  { describe, it, expect },
);
