export { FolderRegistry, type FolderRegistryOptions } from "./folder-registry.js";
