// A client of the service "prices". It knows nothing of the mesh, and nothing of its tests.
import http from "node:http";

export async function priceOf(book) {
  const answer = await fetch(`http://prices/${encodeURIComponent(book)}`);
  if (answer.status === 404) return undefined;
  if (!answer.ok) throw new Error(`prices answered ${answer.status} for ${book}`);
  return (await answer.json()).euros;
}

/** As `priceOf`, by node:http. */
export function rawPriceOf(book) {
  return new Promise((resolve, reject) => {
    http
      .get(`http://prices/${encodeURIComponent(book)}`, async (answer) => {
        let text = "";
        for await (const chunk of answer) text += chunk;
        resolve(JSON.parse(text).euros);
      })
      .on("error", reject);
  });
}
