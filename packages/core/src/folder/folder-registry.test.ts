import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseDocuments } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { registryContract } from "../testing/registry-contract.js";
import { FolderRegistry } from "./folder-registry.js";

registryContract(
  "FolderRegistry",
  async () => {
    const path = await mkdtemp(join(tmpdir(), "inmesh-folder-"));
    const open = (): FolderRegistry => {
      const registry = new FolderRegistry({ path, parse: parseDocuments });
      opened.push(registry);
      return registry;
    };
    const opened: FolderRegistry[] = [];
    const writer = open();
    return {
      store: writer,
      registrar: writer,
      openSource: open,
      close: async () => {
        await Promise.all(opened.map((registry) => registry.close()));
        await rm(path, { recursive: true });
      },
    };
  },
  { describe, it, expect },
);
