import type { HeaderOps, HeaderPair, Route } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { fakeRoute } from "../testing/fake-snapshot.js";
import {
  applyHeaderOps,
  type EditableRequest,
  editRequest,
  expandValue,
  requestAsSent,
  rewrittenPath,
} from "./request-edit.js";

function requestOf(headers: readonly string[]): EditableRequest {
  return {
    method: "PUT",
    path: "/old?q=1",
    authority: "cart:80",
    scheme: "http",
    headers,
    header(name) {
      const found = headers.filter((_, index) => index % 2 === 1 && headers[index - 1]?.toLowerCase() === name);
      return found.length > 1 ? found : found[0];
    },
  };
}

const ops = (part: Partial<HeaderOps>): HeaderOps => ({ remove: [], set: [], add: [], ...part });
const edited = (part: Partial<HeaderOps>, headers: readonly string[]) =>
  editRequest(routeWith({ requestHeaders: ops(part) }), undefined, requestOf(headers)).headers;

function routeWith(part: Partial<Route>): Route {
  return { ...fakeRoute("cart"), ...part };
}

describe("applyHeaderOps", () => {
  it("removes, sets over every line of a name, adds one more, whatever the case", () => {
    const headers = ["X-Gone", "1", "X-Set", "1", "x-set", "2", "X-Add", "1", "y", "2"];
    const applied = applyHeaderOps(
      headers,
      { remove: ["x-gone"], set: [["x-set", "s"]], add: [["x-add", "a"]] },
      requestOf(headers),
    );
    expect(applied).toEqual(["X-Add", "1", "y", "2", "x-set", "s", "x-add", "a"]);
    expect(headers).toHaveLength(10);
  });
});

/** Seen with Istio 1.26 and Envoy 1.40. */
describe("commands in header values", () => {
  it.each([
    ["/new", "/old?q=1 /new?q=1"],
    ["/old", "/old?q=1 /old?q=1"], // rewritten to what it was
    [undefined, " /old?q=1"],
  ])("tell the answer's headers what the path was before a rewrite to %s", (to, told) => {
    const rewrite = to === undefined ? undefined : { path: () => to };
    const sent = requestAsSent(requestOf([]), editRequest(routeWith({ rewrite }), undefined, requestOf([])));
    expect(expandValue("%REQ(x-envoy-original-path)% %REQ(:path)%", sent)).toBe(told);
  });

  it.each<[string, string]>([
    ["%REQ(x-a)%", "hello"],
    ["<%REQ(X-A)%>", "<hello>"],
    ["a-%REQ(x-none)%.b", "a-.b"],
    ["%REQ(x-none?x-a)%", "hello"],
    ["%REQ(x-two)%", "1"],
    ["%REQ(:path)%", "/old?q=1"],
    ["%REQ(:authority)%", "cart:80"],
    ["%REQ(:METHOD)%", "PUT"],
    ["%PROTOCOL%", "HTTP/1.1"],
    ["100%%", "100%"],
    ["%UPSTREAM_HOST%", "%UPSTREAM_HOST%"], // not ours to know; analyze says so
  ])("%s becomes %s", (value, expected) => {
    const pair: HeaderPair = ["x-t", value];
    expect(edited({ set: [pair] }, ["x-a", "hello", "x-two", "1", "x-two", "2"]).at(-1)).toBe(expected);
  });

  it.each(["", "%REQ(x-none)%"])("leave a header alone where %j comes to nothing", (value) => {
    expect(edited({ set: [["x-t", value]], add: [["x-t", value]] }, ["x-t", "kept"])).toEqual(["x-t", "kept"]);
  });

  it("find nothing in a header that the same rule removes", () => {
    expect(edited({ remove: ["x-a"], set: [["x-t", "[%REQ(x-a)%]"]] }, ["x-a", "hello"])).toEqual(["x-t", "[]"]);
  });
});

describe("rewrittenPath", () => {
  it("keeps the query, and shows it to no rewrite", () => {
    const route = routeWith({ rewrite: { path: (path) => path.toUpperCase() } });
    expect(rewrittenPath(route, "/a?b=/c")).toBe("/A?b=/c");
    expect(rewrittenPath(routeWith({}), "/a?b")).toBe("/a?b");
  });
});

describe("editRequest", () => {
  it("rewrites the host by the route's word, else by the drawn destination's", () => {
    const destination = { cluster: "c", host: "h", port: 80, subset: "", weight: 1, authority: "dest" };
    const host = (part: Partial<Route>) => editRequest(routeWith(part), destination, requestOf([])).authority;
    expect([host({}), host({ rewrite: { authority: "rule" } })]).toEqual(["dest", "rule"]);
    expect(editRequest(routeWith({}), undefined, requestOf([])).authority).toBe("cart:80");
  });
});
