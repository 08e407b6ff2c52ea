import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createCli } from "../cli.js";
import { TemporaryFolder } from "../testing/run-cli.js";
import { registryName, shownUrl } from "./registry-name.js";

describe("registryName", () => {
  const name = (cwd: string, config?: string, env: Record<string, string> = {}) =>
    registryName(
      config === undefined ? {} : { config },
      createCli({ env, cwd } as never, { quiet: true, colour: false }),
    );

  it("is what the option says, then the environment, then inmesh.yaml, then the folder", () => {
    using folder = new TemporaryFolder();
    const { path } = folder;
    expect(name(path)).toEqual({ kind: "folder", shown: "./mesh", path: join(path, "mesh") });
    folder.write("inmesh.yaml", "config: consul://t0ken@file:8500\n");
    expect(name(path)).toEqual({ kind: "consul", shown: "consul://file:8500", url: "consul://t0ken@file:8500" });
    const env = { INMESH_CONFIG: "CONSUL+HTTPS://env:8501?dc=eu" };
    expect(name(path, undefined, env)).toMatchObject({ kind: "consul", shown: "CONSUL+HTTPS://env:8501?dc=eu" });
    expect(name(path, "/elsewhere", env)).toEqual({ kind: "folder", shown: "/elsewhere", path: "/elsewhere" });
  });
});

describe("shownUrl", () => {
  it.each([
    ["consul://s3cret@host:8500", "consul://host:8500"],
    ["consul://s3cret:s3cret@host:8500?dc=eu&prefix=x", "consul://host:8500?dc=eu&prefix=x"],
    ["consul://s3@cret@host", "consul://host"],
    ["consul://host?token=s3cret&dc=eu", "consul://host?dc=eu"],
    ["consul://host?acl_token=s3cret", "consul://host"],
    ["xds://s3cret@host:15010", "xds://host:15010"],
    ["./mesh@home?token=no", "./mesh@home?token=no"],
  ])("shows %s as %s", (text, shown) => {
    expect(shownUrl(text)).toBe(shown);
  });
});
