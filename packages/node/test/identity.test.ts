/** Identities as processes have them: where they come from, what is told of them, what never is. */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CertsView } from "@inmesh/core/admin";
import { createAuthority } from "@inmesh/identity/ca";
import { createMesh, type Mesh, type MeshOptions } from "@inmesh/node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { until } from "./until.js";

const closing: (() => unknown)[] = [];
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "inmesh-identity-"));
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true, force: true });
});

async function mesh(service: string, options: MeshOptions = {}): Promise<Mesh> {
  const made = await createMesh({
    service,
    config: folder,
    identity: "ca",
    log: "error",
    propagationDelayMs: 0,
    ...options,
  });
  closing.push(() => made.close());
  return made;
}

async function page(of: Mesh, path: string): Promise<string> {
  return (await fetch(`${of.adminUrl}${path}`)).text();
}

async function certs(of: Mesh): Promise<CertsView> {
  return JSON.parse(await page(of, "/certs")) as CertsView;
}

function leaseOf(service: string): string {
  const directory = join(folder, ".workloads");
  const name = readdirSync(directory).find((each) => each.includes(`.${service}.`)) ?? "";
  return readFileSync(join(directory, name), "utf8");
}

describe("the folder's own authority", () => {
  it("is made by the first process, kept for its user alone, and names each by namespace and service", async () => {
    const [web, cart] = await Promise.all([
      mesh("web", { namespace: "shop" }),
      mesh("cart", { namespace: "shop", serviceAccount: "basket" }),
    ]);
    expect(web.status.identity).toMatchObject({
      state: "ready",
      id: "spiffe://cluster.local/ns/shop/sa/web",
      generation: 1,
    });
    expect(cart.status.identity).toMatchObject({ state: "ready", id: "spiffe://cluster.local/ns/shop/sa/basket" });
    const [ofWeb, ofCart] = [await certs(web), await certs(cart)];
    expect(ofWeb.roots).toEqual(ofCart.roots); // one authority, although both came first
    expect(ofWeb.roots).toEqual([
      { trustDomain: "cluster.local", certificates: [expect.objectContaining({ id: "" })] },
    ]);
    expect(ofWeb.chain.map(({ id }) => id)).toEqual(["spiffe://cluster.local/ns/shop/sa/web", ""]);
    expect(ofWeb.identity.source).toBe(`the CA in ${join(folder, ".ca")}`);
    expect(readFileSync(join(folder, ".ca", ".gitignore"), "utf8")).toMatch(/^\*$/m);
    for (const file of readdirSync(join(folder, ".ca")).filter((each) => each.endsWith(".key"))) {
      expect(statSync(join(folder, ".ca", file)).mode & 0o077).toBe(0);
    }
    expect(leaseOf("web")).toContain('inmesh.dev/identity: "spiffe://cluster.local/ns/shop/sa/web"');
  });

  it("is made for the trust domain that policy names, and a process that has another one says so", async () => {
    writeFileSync(join(folder, "mesh.yaml"), "trustDomain: shop.example\n");
    const web = await mesh("web");
    expect(web.status.identity?.id).toBe("spiffe://shop.example/ns/default/sa/web");
    writeFileSync(join(folder, "mesh.yaml"), "trustDomain: other.example\n");
    const warning = await until(
      async () =>
        /"message":"(the certificate of this process is of trust domain [^"]+)"/.exec(await page(web, "/events"))?.[1],
    );
    expect(warning).toContain("MeshConfig says other.example");
  });

  it("gives a certificate to whoever needs one before policy can be read", async () => {
    writeFileSync(join(folder, "mesh.yaml"), "trustDomain: [1\n");
    const web = await mesh("web", { configWaitMs: 50 });
    await until(() => web.status.identity?.state === "ready");
    expect(web.status.identity?.id).toBe("spiffe://cluster.local/ns/default/sa/web");
  });

  it("is not made in place of a folder that is not there", async () => {
    const missing = join(folder, "mounted-later");
    const web = await mesh("web", { config: missing, configWaitMs: 50, lease: "never" });
    await until(() => web.status.identity?.reason !== undefined);
    expect(web.status.identity).toMatchObject({ state: "starting", reason: `there is no folder ${missing}` });
    mkdirSync(missing);
    await until(() => web.status.identity?.state === "ready");
  });

  it("whose key others may read is not used", async () => {
    const web = await mesh("web");
    await web.close();
    const key = readdirSync(join(folder, ".ca")).find((each) => /^intermediate.*key$/.test(each)) ?? "";
    const { chmodSync } = await import("node:fs");
    chmodSync(join(folder, ".ca", key), 0o644);
    const next = await mesh("next", { configWaitMs: 50 });
    await until(() => next.status.identity?.reason !== undefined);
    expect(next.status.identity).toMatchObject({ state: "starting", reason: expect.stringContaining("can be read") });
    expect(await page(next, "/healthz")).toContain("its certificate: ");
  });
});

describe("the setting", () => {
  it("off: no identity, and others see that there is none", async () => {
    const web = await mesh("web", { identity: "off" });
    expect(web.status.identity).toEqual({ state: "off", id: "", source: "", generation: 0 });
    expect(await certs(web)).toMatchObject({ chain: [], roots: [] });
    expect(leaseOf("web")).toContain('inmesh.dev/identity: ""');
    expect(readdirSync(folder)).not.toContain(".ca");
  });

  it("a function", async () => {
    const authority = createAuthority({ trustDomains: ["cluster.local"], wallTime: () => Date.now() });
    const { createCsr, generateKey, privateKeyPem } = await import("@inmesh/identity");
    const key = generateKey();
    const { certificateChain, bundles } = authority.sign(createCsr(key), "spiffe://cluster.local/ns/default/sa/web");
    const roots = (bundles.get("cluster.local") ?? []).join("");
    const web = await mesh("web", {
      config: [],
      identity: async () => ({ certificateChain, privateKey: privateKeyPem(key), roots }),
    });
    expect(web.status.identity).toMatchObject({ state: "ready", source: "the application" });
  });

  it.each(["ca:", "vault", "files", "file:/x"])("that is %s is refused with what is expected", async (identity) => {
    await expect(mesh("web", { identity: identity as "ca" })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(
        `option identity is ${JSON.stringify(identity)}: expected auto, off, ca, ca:DIR, files:DIR, connect, istio-ca, istio-ca:HOST:PORT, spiffe or spiffe:SOCKET`,
      ),
    });
  });

  it("that the registry cannot fill is an error that says so, and no plaintext in its place", async () => {
    const web = await mesh("web", { config: [], identity: "ca" });
    expect(web.status.identity).toMatchObject({
      state: "starting",
      reason: "identity ca needs a folder: write ca:DIR, or files:DIR",
    });
  });
});

it("tells nobody the key: no page, no file of the registry outside its folder, no state", async () => {
  const state = join(folder, "..", `${folder}-state`);
  closing.push(() => rmSync(state, { recursive: true, force: true }));
  const web = await mesh("web", { stateDir: state });
  const { paths } = JSON.parse(await page(web, "/")) as { paths: string[] };
  const texts = await Promise.all(paths.map((path) => page(web, path)));
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".key"))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"));
  expect(paths).toContain("/certs");
  expect([...texts, ...files].filter((text) => /PRIVATE KEY/.test(text))).toEqual([]);
});
