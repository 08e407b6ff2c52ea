import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseDocument } from "yaml";
import type { MeshOptions } from "./options.js";
import { resolveSettings, SettingError } from "./resolve-settings.js";

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "inmesh-settings-"));
});
afterEach(() => rmSync(cwd, { recursive: true }));

function resolve(options: MeshOptions = {}, env: Record<string, string> = {}) {
  const warnings: string[] = [];
  const settings = resolveSettings(options, {
    env,
    cwd,
    warn: (message) => warnings.push(message),
    parseYaml: () => parseDocument,
  });
  return { settings, warnings };
}

describe("resolveSettings", () => {
  it("takes option over environment over inmesh.yaml over default", () => {
    const at = () => resolve({}, {}).settings.namespace;
    expect(at()).toBe("default");
    writeFileSync(join(cwd, "inmesh.yaml"), "namespace: from-file\nlog: info\n");
    expect(at()).toBe("from-file");
    expect(resolve({}, { INMESH_NAMESPACE: "from-env" }).settings).toMatchObject({
      namespace: "from-env",
      log: { levels: { level: "info", scopes: {} } },
    });
    expect(resolve({ namespace: "from-option" }, { INMESH_NAMESPACE: "from-env" }).settings.namespace).toBe(
      "from-option",
    );
  });

  it("shows no token of a registry that it refuses", () => {
    for (const url of ["zk://s3cret@istiod:15010", "etcd://x:s3cret@host?token=s3cret"]) {
      expect(() => resolve({ config: url })).toThrow(/^(?!.*s3cret).*option config is "\w+:\/\/(istiod|host)/);
    }
  });

  it("takes an empty variable for one that is not set", () => {
    expect(resolve({}, { INMESH_NAMESPACE: "", INMESH_PORTS: "" }).settings).toMatchObject({
      namespace: "default",
      ports: undefined,
    });
  });

  it("looks for ./mesh, then for the user's own folder", () => {
    expect(resolve().settings).toMatchObject({ config: expect.stringMatching(/\.inmesh[\\/]mesh$/), ownConfig: true });
    mkdirSync(join(cwd, "mesh"));
    expect(resolve().settings).toMatchObject({ config: join(cwd, "mesh"), ownConfig: false });
    expect(resolve({ config: "elsewhere" }).settings).toMatchObject({
      config: join(cwd, "elsewhere"),
      ownConfig: false,
    });
  });

  it.each([
    ["INMESH_LABELS", "version=v2, tier=web", "labels", { app: expect.any(String), version: "v2", tier: "web" }],
    ["INMESH_VERSION", "v3", "labels", { app: expect.any(String), version: "v3" }],
    ["INMESH_PORTS", "8080", "ports", [{ name: "http", number: 8080 }]],
    [
      "INMESH_PORTS",
      "web:8080, 9090",
      "ports",
      [
        { name: "web", number: 8080 },
        { name: "http-1", number: 9090 },
      ],
    ],
    ["INMESH_PATCH", "fetch,server", "patch", ["fetch", "server"]],
    ["INMESH_PATCH", "none", "patch", []],
    ["INMESH_EXCLUDE", "*.example.com, :9200", "exclude", ["*.example.com", ":9200"]],
    ["INMESH_CONFIG_WAIT_MS", "250", "configWaitMs", 250],
    ["INMESH_PROTECTION_MS", "0", "protectionMs", 0],
    ["INMESH_PROTECTION_PERCENT", "80", "protectionPercent", 80],
    ["INMESH_PROTECTION_LEAST", "5", "protectionLeast", 5],
    ["INMESH_CONFIG", "consul://host:8500?dc=east", "config", "consul://host:8500?dc=east"],
    ["INMESH_CONFIG", "consul+https://host", "config", "consul+https://host"],
    ["INMESH_ADMIN", "off", "admin", "off"],
    ["INMESH_ADMIN", "[::1]:9000", "admin", "[::1]:9000"],
    ["INMESH_ADMIN", "unix:/tmp/a.sock", "admin", "unix:/tmp/a.sock"],
  ])("reads %s=%s", (variable, text, name, expected) => {
    expect(resolve({}, { [variable]: text }).settings[name as "labels"]).toEqual(expected);
  });

  it.each([
    ["INMESH_SERVICE", "../evil", "DNS label"],
    ["INMESH_NAMESPACE", "Shop", "DNS label"],
    ["INMESH_MODE", "offf", "expected on, observe or off"],
    ["INMESH_CONFIG", "etcd://localhost:2379", "expected a folder, a policy file, consul://host:8500 or xds://"],
    ["INMESH_PORTS", "http", "ports from 1 to 65535"],
    ["INMESH_WEIGHT", "0", "expected a whole number from 1 to 65535"],
    ["INMESH_WEIGHT", "1.5", "expected a whole number from 1 to 65535"],
    ["INMESH_PROTECTION_PERCENT", "101", "expected a number from 0 to 100"],
    ["INMESH_PROTECTION_LEAST", "0", "expected a whole number, at least 1"],
    ["INMESH_PORTS", "70000", "ports from 1 to 65535"],
    ["INMESH_LABELS", "version", "key=value"],
    ["INMESH_PATCH", "fetch,grpcc", "some of fetch, undici, http, server, grpc"],
    ["INMESH_ADMIN", "15000", "host:port"],
    ["INMESH_LOG", "loud", "off, error, warn, info, debug or trace"],
    ["INMESH_LOG", "warn,tsl:debug", "there is no scope"],
    ["INMESH_ACCESS_LOG", "jsn", "expected off, json or text"],
    ["INMESH_ACCESS_LOG", "json,slowMs=soon", "slowMs: expected a number"],
    ["INMESH_CONFIG_WAIT_MS", "5s", "milliseconds"],
  ])("refuses %s=%s in one line that names it", (variable, text, expected) => {
    const attempt = () => resolve({}, { [variable]: text });
    expect(attempt).toThrowError(SettingError);
    expect(attempt).toThrowError(
      new RegExp(`^${variable} is ${JSON.stringify(text).replaceAll(/[.*/]/g, "\\$&")}: .*${expected}.*$`),
    );
  });

  it("names unknown variables and keys once, with the nearest known one", () => {
    writeFileSync(join(cwd, "inmesh.yaml"), "servise: web\n");
    const env = { INMESH_SERVIC: "web", INMESH_ZZZZZZZZZ: "1", INMESH_SHARED: "/x", HOME: "/h" };
    expect(resolve({}, env).warnings).toEqual([
      "unknown environment variables INMESH_SERVIC (did you mean INMESH_SERVICE?), INMESH_ZZZZZZZZZ: ignored",
      "inmesh.yaml: unknown key servise (did you mean service?): ignored",
    ]);
  });

  it.each([
    ["a: [1", /^inmesh\.yaml is no YAML: /],
    ["\tx: 1", /^inmesh\.yaml is no YAML: /],
    ["- a\n- b", /must be a mapping/],
  ])("refuses an inmesh.yaml that says %j", (text, message) => {
    writeFileSync(join(cwd, "inmesh.yaml"), text);
    expect(() => resolve()).toThrowError(message);
  });

  it("does not let a file reach into the prototype of its settings", () => {
    writeFileSync(join(cwd, "inmesh.yaml"), "__proto__:\n  namespace: polluted\n");
    expect(resolve().settings.namespace).toBe("default");
    expect(({} as { namespace?: string }).namespace).toBeUndefined();
  });

  it.each([
    ['{"name":"@shop/My_Web.Service"}', "my-web-service"],
    ['{"name":"-weird-"}', "weird"],
    ['{"name":""}', "program"],
    ["{broken", "program"],
  ])("names the service after a package.json that says %s", (text, expected) => {
    const program = process.argv[1];
    process.argv[1] = "/srv/Program.mjs";
    try {
      writeFileSync(join(cwd, "package.json"), text);
      mkdirSync(join(cwd, "inner"));
      expect(resolveSettings({}, { env: {}, cwd: join(cwd, "inner"), parseYaml: () => parseDocument }).service).toBe(
        expected,
      );
    } finally {
      if (program !== undefined) process.argv[1] = program;
    }
  });
});
