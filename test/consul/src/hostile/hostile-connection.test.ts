import { readFileSync } from "node:fs";
import { systemClock } from "@inmesh/core";
import { afterAll, describe, expect, it } from "vitest";
import { type CertificateAuthority, createAuthority, type DevAgent, findConsul, startDevAgent } from "../peer/index.js";
import { fillShop, putResource, targetOf, WatchedShop } from "./watched-shop.js";

const binary = findConsul("connections to a Consul that cannot be trusted, found or reached");

describe.skipIf(binary === undefined).concurrent("a Consul", () => {
  const authority = binary && createAuthority("the operator's CA");
  const another = binary && createAuthority("another CA");
  const certificate = authority?.issue("consul", ["DNS:consul.test", "IP:127.0.0.1"]);
  const misnamed = authority?.issue("misnamed", ["DNS:elsewhere.test"]);
  const client = authority?.issue("client", ["DNS:client"]);
  const foreign = another?.issue("foreign", ["DNS:client"]);
  const agents: Promise<DevAgent>[] = [];
  const startOne = (...args: Parameters<typeof startDevAgent>): Promise<DevAgent> => {
    const started = startDevAgent(...args);
    agents.push(started);
    return started;
  };
  const trusted = binary && startOne(binary, { tls: certificate! });
  const strict = binary && startOne(binary, { tls: { ...certificate!, verifyIncoming: true } });
  const wrong = binary && startOne(binary, { tls: misnamed! });
  afterAll(async () => {
    for (const agent of agents) await (await agent)[Symbol.asyncDispose]();
    authority?.[Symbol.dispose]();
    another?.[Symbol.dispose]();
  });
  const secure = async (
    agent: typeof trusted,
    tls: { ca?: string; cert?: string; key?: string; serverName?: string },
  ) => targetOf((await agent!).httpsPort, { secure: true, tls });

  it("with a certificate of the CA that was named is believed, also under another name that was named", async () => {
    await fillShop(await trusted!);
    await using byAddress = new WatchedShop(await secure(trusted, { ca: authority!.pem }));
    await using byName = new WatchedShop(await secure(trusted, { ca: authority!.pem, serverName: "consul.test" }));
    await Promise.all([byAddress.shows(["first"]), byName.shows(["first"])]);
  });

  it("that asks for a certificate lets in who has one of its CA", async () => {
    await fillShop(await strict!);
    const { cert, key } = texts(client!);
    await using shop = new WatchedShop(await secure(strict, { ca: authority!.pem, cert, key }));
    await shop.shows(["first"]);
  });

  it.each([
    ["with a certificate of no CA of the system's", trusted, {}, /signed by no authority .*CONSUL_CACERT/],
    ["with a certificate of another CA", trusted, { ca: another?.pem }, /signed by no authority .*CONSUL_CACERT/],
    ["with a certificate for another name", wrong, { ca: authority?.pem }, /is not for 127.0.0.1 .*serverName/],
    [
      "that asks for a certificate, and is shown none",
      strict,
      { ca: authority?.pem },
      /asks for a certificate of this process, and there is none .*CONSUL_CLIENT_CERT/,
    ],
    [
      "that asks for a certificate, and is shown one of another CA",
      strict,
      { ca: authority?.pem, ...(foreign && texts(foreign)) },
      /does not accept this process's certificate .*CONSUL_CLIENT_CERT/,
    ],
  ] as const)("%s is not asked anything, and that is said", async (_, agent, tls, reason) => {
    await using shop = new WatchedShop(await secure(agent, tls as { ca?: string }));
    await shop.isStale(new RegExp(`consul\\+https://127\\.0\\.0\\.1:${(await agent!).httpsPort}.*${reason.source}`));
    expect(shop.view).toBeUndefined();
  });

  it("that speaks no TLS where TLS is asked for, and the other way round", async () => {
    const { port, httpsPort } = await trusted!;
    await using secured = new WatchedShop(targetOf(port, { secure: true }));
    await using plain = new WatchedShop(targetOf(httpsPort));
    await secured.isStale(/does not speak TLS/);
    await plain.isStale(/HTTPS server.*; write consul\+https:/);
  });

  it("whose name cannot be looked up, which is said by name", async () => {
    await using shop = new WatchedShop({ ...targetOf(8500), host: "consul.invalid" });
    await shop.isStale(/consul:\/\/consul\.invalid:8500: the name consul\.invalid cannot be looked up/);
  });

  it("that stands still with all connections open is noticed, and followed again", async () => {
    const agent = await startOne(binary!);
    await fillShop(agent);
    await using shop = new WatchedShop(targetOf(agent.port));
    await shop.shows(["first"]);
    agent.freeze();
    try {
      await shop.isStale(/did not answer within \d+ s/);
      expect(shop.shown.instances).toHaveLength(3);
    } finally {
      agent.thaw();
    }
    await putResource(agent, "second");
    await shop.shows(["first", "second"]);
    await shop.isFresh();
  });

  it("is followed through jumps of the clock", async () => {
    const agent = await startOne(binary!);
    await fillShop(agent);
    let jumpedMs = 0;
    const clock = {
      ...systemClock,
      now: () => systemClock.now() + jumpedMs,
      wallTime: () => systemClock.wallTime() - 20 * jumpedMs,
    };
    await using shop = new WatchedShop(targetOf(agent.port), { clock });
    await shop.shows(["first"]);
    jumpedMs = 20 * 60_000;
    await putResource(agent, "second");
    await shop.shows(["first", "second"]);
    expect(shop.status.state).toBe("fresh");
  });
});

function texts({ cert, key }: ReturnType<CertificateAuthority["issue"]>): { cert: string; key: string } {
  return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
}
