import type { CheckedRequest } from "@inmesh/core";
import type { ExternalAuthorizer } from "@inmesh/model";
import { expect, it } from "vitest";
import { GrpcAuthorizer } from "./grpc-authorizer.js";
import type { ServiceClients } from "./service-clients.js";
import { MessageWriter } from "./wire.js";

const DOOR = {
  name: "door",
  protocol: "grpc",
  host: "door",
  port: 9000,
  timeoutMs: 100,
} as Partial<ExternalAuthorizer>;
const ARRIVAL = { method: "GET", lines: [], header: () => undefined } as Partial<CheckedRequest["arrival"]>;
const REQUEST = { arrival: ARRIVAL, target: "/", authority: "web" } as CheckedRequest;

it("lets in whom an authorizer lets in that answers with dynamic_metadata, and says once that nobody reads that", async () => {
  const metadata = new MessageWriter().entry(1, "tier", "").finish();
  const answer = new MessageWriter().message(4, metadata).finish();
  const clients = { call: async () => answer } as Partial<ServiceClients> as ServiceClients;
  const notices: string[] = [];
  const authorizer = new GrpcAuthorizer(clients, (message) => notices.push(message));
  for (let n = 0; n < 2; n++)
    expect(await authorizer.ask(DOOR as ExternalAuthorizer, REQUEST, undefined)).toMatchObject({ kind: "pass" });
  expect(notices).toEqual([expect.stringContaining('"door" answers with dynamic_metadata')]);
});
