/** What the book is: Express 4. */

import express from "express4";
import { createJournal } from "./journal.js";

const TITLES = ["The Comedy of Errors", "Much Ado About Nothing", "As You Like It", "The Tempest", "Twelfth Night"];

const journal = createJournal("details");
const app = express();
app.use((req, res, next) => {
  journal.watch(req, res);
  next();
});

app.get("/details/:id", (req, res) => {
  const { id } = req.params;
  res.json({ id, title: TITLES[Number(id) % TITLES.length] ?? TITLES[0], pages: 200 });
});

const server = app.listen(Number(process.env.PORT ?? 9082), "127.0.0.1", () => {
  console.log(`details listens on port ${server.address().port}`);
});
