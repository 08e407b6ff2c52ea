// An ordinary Fastify application that waits as long as "prices" takes: it has no timeout of its own.
import Fastify from "fastify";

const app = Fastify();

app.get("/:book", async (request, reply) => {
  const answer = await fetch(`http://prices/${request.params.book}`);
  return reply.code(answer.status).send(await answer.text());
});

await app.listen({ port: Number(process.env.WEB_PORT ?? 8080), host: "127.0.0.1" });
