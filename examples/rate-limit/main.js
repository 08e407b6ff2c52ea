// A server behind a RateLimit and a Resilience; its callers are plain ones and know nothing of a mesh.
import { once } from "node:events";
import http from "node:http";
import { createMesh } from "@inmesh/node";

const mesh = await createMesh({
  ...{ service: "tickets", config: "./mesh", log: "error" },
  propagationDelayMs: 0, // its callers do not find it by the mesh, so none needs to hear of its end
});
await mesh.ready();

const waiting = []; // requests that are being served
const server = mesh.attach(
  http.createServer((request, response) => {
    if (request.url === "/buy") response.end("a ticket");
    else waiting.push(response);
  }),
);
server.listen(0, "127.0.0.1");
await once(server, "listening");
const url = `http://127.0.0.1:${server.address().port}`;

for (const customer of ["ann", "ann", "ann", "ann", "bob"]) {
  const answer = await fetch(`${url}/buy`, { headers: { "x-customer": customer } });
  await answer.text();
  console.log(customer, answer.status, answer.headers.get("ratelimit"), answer.headers.get("retry-after") ?? "");
}

// Eight requests are being served, of the ten that may: reports are turned away by now, and nothing else is.
const served = Array.from({ length: 8 }, () => fetch(`${url}/slow`));
while (waiting.length < 8) await new Promise((resolve) => setImmediate(resolve));
const report = await fetch(`${url}/report`);
const buy = await fetch(`${url}/buy`, { headers: { "x-customer": "eve" } });
console.log("report", report.status, report.headers.get("x-inmesh-error"));
console.log("buy", buy.status);

for (const response of waiting) response.end();
await Promise.all([report, buy, ...(await Promise.all(served))].map((answer) => answer.text()));
await mesh.close();
