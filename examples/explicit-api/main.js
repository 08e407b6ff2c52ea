// The mesh as an object: nothing in the process is patched.
import { once } from "node:events";
import http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { createMesh } from "@inmesh/node";

const mesh = await createMesh({ service: "hello", config: "./mesh" });

const server = mesh.attach(http.createServer((request, response) => response.end(`hello, ${request.url}`)));
server.listen(0, "127.0.0.1");
await once(server, "listening");

let answer = await mesh.fetch("http://hello/world");
while (answer.status === 503) {
  await sleep(20); // the registry tells of a new server within a fraction of a second
  answer = await mesh.fetch("http://hello/world");
}
console.log(answer.status, await answer.text());

const teapot = await mesh.fetch("http://hello/teapot"); // answered by policy: nothing is sent
console.log(teapot.status, await teapot.text());

await mesh.close(); // drains: leaves the registry, lets requests finish, closes the server
