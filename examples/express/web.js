// An ordinary Express application. It asks "reviews" by name, and hands on who is a beta tester.
import express from "express";

const app = express();

app.get("/", async (req, res) => {
  const answer = await fetch("http://reviews/", { headers: { "x-beta": req.get("x-beta") ?? "no" } });
  res.status(answer.status).send(`the shop shows: ${await answer.text()}`);
});

app.listen(Number(process.env.WEB_PORT ?? 8080), "127.0.0.1");
