import http from "node:http";
import type { AddressInfo } from "node:net";
import { type Clock, systemClock } from "@inmesh/core";
import { FakeClock } from "@inmesh/core/testing";
import { describe, expect, it } from "vitest";
import { azureAddress, azureLocality } from "./azure.js";
import { platformAddress, platformLocality } from "./platform.js";
import type { PlatformName } from "./platform-name.js";

const ECS = "ECS_CONTAINER_METADATA_URI_V4";
const EC2 = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
const TASK = {
  TaskARN: "arn:aws:ecs:us-west-2:111122223333:task/default/158d1c8083dd49d6b527399fd6414f5c",
  AvailabilityZone: "us-west-2-lax-1a",
};

type Answer = string | { readonly status?: number; readonly body?: string; readonly headers?: Record<string, string> };
type Script = (line: string, headers: http.IncomingHttpHeaders) => Answer | undefined;

/** A metadata service that says what is scripted, 404 to anything else, and nothing at all to `silent`. */
async function scripted(script: Script) {
  const lines: string[] = [];
  const server = http.createServer((request, response) => {
    const line = `${request.method} ${request.url}`;
    lines.push(line);
    const answer = script(line, request.headers);
    if (answer === "silent") return;
    const {
      status = answer === undefined ? 404 : 200,
      body = "",
      headers = {},
    } = typeof answer === "string" ? { body: answer } : (answer ?? {});
    response.writeHead(status, headers).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const authority = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    ...{ lines, authority, url: `http://${authority}` },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const asked = (env: Record<string, string>, clock: Clock = systemClock) => ({ env, clock });
const ecs = (networks: unknown, task: object = TASK): Script => {
  return (line) =>
    ({ "GET /v4/abc": JSON.stringify({ Networks: networks }), "GET /v4/abc/task": JSON.stringify(task) })[line];
};
const ec2 =
  (answers: Readonly<Record<string, Answer>>): Script =>
  (line, headers) => {
    if (line === "PUT /latest/api/token") return headers["x-aws-ec2-metadata-token-ttl-seconds"] ? "t0ken" : undefined;
    if (headers["x-aws-ec2-metadata-token"] !== "t0ken") return { status: 401 };
    return answers[line.replace("GET /latest/meta-data/", "")];
  };

describe("ecs", () => {
  it("is the task's own interface, and the zone of the task in the region of its ARN", async () => {
    const networks = [{ NetworkMode: "awsvpc", IPv4Addresses: ["10.0.2.106"] }];
    await using service = await scripted(ecs(networks));
    const context = asked({ [ECS]: `${service.url}/v4/abc` });
    expect(await platformAddress("ecs", context)).toBe("10.0.2.106");
    expect(await platformLocality("ecs", context)).toEqual({
      region: "us-west-2",
      zone: "us-west-2-lax-1a",
      subZone: "",
    });
  });

  it("is an IPv6 address where there is no other", async () => {
    const networks = [{ NetworkMode: "awsvpc", IPv4Addresses: [], IPv6Addresses: ["2600:1f18::1"] }];
    await using service = await scripted(ecs(networks));
    expect(await platformAddress("ecs", asked({ [ECS]: `${service.url}/v4/abc` }))).toBe("2600:1f18::1");
  });

  it.each(["bridge", "host"])("says what to do in network mode %s", async (NetworkMode) => {
    await using service = await scripted(ecs([{ NetworkMode, IPv4Addresses: ["172.17.0.2"] }]));
    const address = platformAddress("ecs", asked({ [ECS]: `${service.url}/v4/abc` }));
    await expect(address).rejects.toThrow(`network mode is ${NetworkMode}, in which it has no address of its own`);
  });

  it("says that this is none, and what was not said", async () => {
    await expect(platformAddress("ecs", asked({}))).rejects.toThrow(`${ECS} is not set: this is no task of ECS`);
    await using service = await scripted(ecs([], { TaskARN: TASK.TaskARN }));
    const locality = platformLocality("ecs", asked({ [ECS]: `${service.url}/v4/abc` }));
    await expect(locality).rejects.toThrow("AvailabilityZone of the task names no place");
  });
});

describe("ec2", () => {
  it("asks with a token, for the address, the zone and the region", async () => {
    await using service = await scripted(
      ec2({
        "local-ipv4": "10.1.2.3\n",
        "placement/availability-zone": "eu-west-1b",
        "placement/region": "eu-west-1",
      }),
    );
    const context = asked({ [EC2]: `${service.url}/` });
    expect(await platformAddress("ec2", context)).toBe("10.1.2.3");
    expect(await platformLocality("ec2", context)).toEqual({ region: "eu-west-1", zone: "eu-west-1b", subZone: "" });
    expect(service.lines.filter((line) => line.startsWith("PUT"))).toHaveLength(2);
  });

  it("is the IPv6 address of an instance that has no other", async () => {
    await using service = await scripted(ec2({ ipv6: "2600:1f18::2" }));
    expect(await platformAddress("ec2", asked({ [EC2]: service.url }))).toBe("2600:1f18::2");
  });

  it("does not go on without a token, and says what a container needs", async () => {
    await using service = await scripted(() => ({ status: 403 }));
    const address = platformAddress("ec2", asked({ [EC2]: service.url }));
    await expect(address).rejects.toThrow(/answered 403 to \/latest\/api\/token: this is no EC2 instance.*hop limit/);
    expect(service.lines).toEqual(["PUT /latest/api/token"]);
  });

  it("waits a second for an answer, and no longer", async () => {
    const clock = new FakeClock();
    await using service = await scripted(() => "silent");
    const address = platformAddress("ec2", asked({ [EC2]: service.url }, clock));
    await expect.poll(() => service.lines.length).toBe(1);
    clock.advance(1_000);
    await expect(address).rejects.toThrow(`${service.authority} did not answer within 1000 ms`);
    expect(clock.pending).toBe(0);
  });
});

describe("gce", () => {
  const path = "GET /computeMetadata/v1/instance/";
  const google =
    (headers: Record<string, string>): Script =>
    (line, { "metadata-flavor": flavor }) => {
      const answers: Record<string, string> = {
        [`${path}network-interfaces/0/ip`]: "10.132.0.2",
        [`${path}zone`]: "projects/123/zones/europe-west1-b",
      };
      return flavor === "Google" && answers[line] !== undefined ? { body: answers[line], headers } : undefined;
    };

  it("is the first interface, and the zone by its last name", async () => {
    await using service = await scripted(google({ "Metadata-Flavor": "Google" }));
    const context = asked({ GCE_METADATA_HOST: service.authority });
    expect(await platformAddress("gce", context)).toBe("10.132.0.2");
    expect(await platformLocality("gce", context)).toEqual({
      region: "europe-west1",
      zone: "europe-west1-b",
      subZone: "",
    });
  });

  it("believes nobody who does not say that he is Google", async () => {
    await using service = await scripted(google({}));
    await expect(platformAddress("gce", asked({ GCE_METADATA_HOST: service.authority }))).rejects.toThrow(
      "another service",
    );
  });
});

describe("azure", () => {
  const instance = (compute: object) =>
    JSON.stringify({ compute, network: { interface: [{ ipv4: { ipAddress: [{ privateIpAddress: "10.2.0.4" }] } }] } });

  it.each([
    [{ location: "westeurope", zone: "1" }, "westeurope-1"],
    [{ location: "westeurope", zone: "" }, ""],
  ])("is the private address, and of %j zone %s", async (compute, zone) => {
    await using service = await scripted((line, { metadata }) =>
      line.startsWith("GET /metadata/instance?api-version=") && metadata === "true" ? instance(compute) : undefined,
    );
    expect(await azureAddress(asked({}), service.url)).toBe("10.2.0.4");
    expect(await azureLocality(asked({}), service.url)).toEqual({ region: "westeurope", zone, subZone: "" });
  });

  it.each([
    ["no JSON", "<html>", "no JSON"],
    ["another shape", "[]", "names no address"],
    ["more than metadata", `"${"x".repeat(300_000)}"`, "longer than any metadata"],
  ])("says what is wrong with an answer that is %s", async (_, body, message) => {
    await using service = await scripted(() => body);
    await expect(azureAddress(asked({}), service.url)).rejects.toThrow(message);
  });
});

describe("auto", () => {
  it("is ECS where its variable is set, whatever else answers", async () => {
    await using service = await scripted(ecs([{ NetworkMode: "awsvpc", IPv4Addresses: ["10.0.2.106"] }]));
    const context = asked({ [ECS]: `${service.url}/v4/abc`, [EC2]: service.url });
    expect(await platformAddress("auto", context)).toBe("10.0.2.106");
    expect(service.lines).toEqual(["GET /v4/abc"]);
  });
});

describe("the address of a metadata service", () => {
  it.each<[PlatformName, string, string]>([
    ["ecs", ECS, "http://example.com/v4"],
    ["ecs", ECS, "https://169.254.170.2/v4"],
    ["ec2", EC2, "http://10.0.0.1"],
    ["ec2", EC2, "http://user@127.0.0.1"],
    ["ec2", EC2, "http://127.0.0.1.example.com"],
    ["ec2", EC2, "169.254.169.254"],
    ["gce", "GCE_METADATA_HOST", "metadata.evil.example"],
    ["gce", "GCE_METADATA_HOST", "10.0.0.1:80"],
  ])("of %s is not taken from %s=%s", async (name, variable, value) => {
    const expected = `${variable} names no metadata service: expected http:// and a loopback or link-local address`;
    await expect(platformAddress(name, asked({ [variable]: value }))).rejects.toThrow(expected);
  });
});
