import { describe, expect, it } from "vitest";
import { parseDocuments } from "../document/parse-documents.js";
import { validateDocument } from "../validate/validate-document.js";
import { compile } from "./compile.js";

const ENTRY = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: api }
spec:
  hosts: [api.example.com]
  resolution: DNS
  ports:
    - { number: 80, name: http, protocol: HTTP }
    - { number: 443, name: https, protocol: HTTPS }
    - { number: 8443, name: tls-raw, protocol: TLS }
`;

const { documents } = parseDocuments(ENTRY, { file: "entry.yaml", namespace: "default" });
const { routes } = compile({
  resources: documents.flatMap((document) => validateDocument(document).resource ?? []),
  workloads: [],
  client: { namespace: "default", service: "web", labels: {} },
  problems: [],
  version: 1,
});

describe("a port on which the application speaks TLS itself", () => {
  it.each([
    ["api.example.com", 80, true, false],
    ["api.example.com", 443, false, true],
    ["API.example.com.", 443, false, true],
    ["api.example.com", 8443, false, true],
    ["api.example.com", 81, false, false],
    ["other.example.com", 443, false, false],
  ])("%s:%d is found by lookup: %s, opaque: %s", (host, port, found, opaque) => {
    expect([routes.lookup(host, port) !== undefined, routes.isOpaque(host, port)]).toEqual([found, opaque]);
  });

  it("is not among the virtual hosts", () => {
    expect(routes.all().map(({ name }) => name)).toEqual(["api.example.com:80"]);
  });
});
