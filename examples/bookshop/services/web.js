/**
 * The shop's front: Express 5. Asks the others by name, each with another client, as grown code does:
 * details with npm undici, reviews with fetch, orders to stock with node:http.
 */

import { request as httpRequest } from "node:http";
import express from "express";
import { request as undiciRequest } from "undici";
import { createJournal } from "./journal.js";

const journal = createJournal("web");
const app = express();
app.use((req, res, next) => {
  journal.watch(req, res);
  next();
});
app.use(express.json());

app.get("/", (_, res) => res.type("html").send('<h1>The bookshop</h1><a href="/books/1">a book</a>'));

app.get("/books/:id", async (req, res) => {
  const { id } = req.params;
  const delay = Number(req.query.delay ?? 0);
  const [details, reviews] = await Promise.all([
    askDetails(`http://details/details/${id}`, passOn(req)),
    askReviews(`http://reviews/reviews/${id}?delay=${delay}`, passOn(req)),
  ]);
  const failed = [details, reviews].find(({ status }) => status !== 200);
  if (reviews.status === 200) res.set("x-reviews-version", reviews.body.version);
  if (failed) res.status(failed.status).json({ error: failed.error });
  else res.json({ ...details.body, reviews: reviews.body });
});

app.post("/orders", async (req, res) => {
  const delay = Number(req.query.delay ?? 0);
  const answer = await order(`http://stock/orders?delay=${delay}`, passOn(req), JSON.stringify(req.body));
  if (answer.status === 201) res.status(201).json(answer.body);
  else res.status(answer.status).json({ error: answer.error });
});

const server = app.listen(Number(process.env.PORT ?? 8080), "127.0.0.1", () => {
  console.log(`web listens on http://127.0.0.1:${server.address().port}/`);
});

/** Headers that belong to the shopper's request and not to this hop. */
function passOn(req) {
  const headers = {};
  for (const name of ["x-request-id", "x-user"]) {
    const value = req.get(name);
    if (value !== undefined) headers[name] = value;
  }
  return headers;
}

async function askDetails(url, headers) {
  try {
    const { statusCode, headers: answered, body } = await undiciRequest(url, { headers });
    return answer(statusCode, answered["x-inmesh-error"], await body.text());
  } catch (error) {
    return unanswered(error);
  }
}

async function askReviews(url, headers) {
  try {
    const response = await fetch(url, { headers });
    return answer(response.status, response.headers.get("x-inmesh-error"), await response.text());
  } catch (error) {
    return unanswered(error);
  }
}

function order(url, headers, body) {
  return new Promise((resolve) => {
    const length = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const req = httpRequest(url, { method: "POST", headers: { ...headers, ...length } }, (res) => {
      let text = "";
      res.setEncoding("utf8");
      res.on("data", (piece) => {
        text += piece;
      });
      res.on("end", () => resolve(answer(res.statusCode, res.headers["x-inmesh-error"], text)));
      res.on("error", (error) => resolve(unanswered(error)));
    });
    req.on("error", (error) => resolve(unanswered(error)));
    req.end(body);
  });
}

function answer(status, code, text) {
  if (status < 400) return { status, body: JSON.parse(text) };
  return { status, error: code ? `${code}: ${text.trim()}` : text.trim() || `status ${status}` };
}

function unanswered(error) {
  return { status: 502, error: `${error.code ?? error.cause?.code ?? error.name}: ${error.message}` };
}
