import { homedir } from "node:os";

/** The user's home. A container often runs as a user that nobody knows, with no HOME: then, as there, the root. */
export function homeDirectory(): string {
  try {
    return homedir();
  } catch {
    return "/";
  }
}
