import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { expect, it } from "vitest";
import { withLightBind } from "./light-bind.js";

const storage = new AsyncLocalStorage<string>();

it("binds to the resource's context, passing on this, arguments and what comes back", () => {
  const resource = storage.run("then", () => new AsyncResource("TEST"));
  const told = (bind: () => (this: string, ...args: number[]) => unknown): unknown =>
    storage.run("now", () => bind().call("receiver", 1, 2));
  const bind = (): ((this: string, ...args: number[]) => unknown) =>
    resource.bind(function (this: string, ...args: number[]) {
      return [storage.getStore(), this, args];
    });
  const light = told(() => withLightBind(bind));
  expect(light).toEqual(["then", "receiver", [1, 2]]);
  expect(light).toEqual(told(bind));
});

it("leaves out the property of functions that holds their streams, and is over when the work is, also by a throw", () => {
  const resource = new AsyncResource("TEST");
  const { bind } = AsyncResource.prototype;
  const bound = withLightBind(() => resource.bind(() => {}));
  expect(Object.getOwnPropertyNames(bound)).not.toContain("asyncResource");
  expect(AsyncResource.prototype.bind).toBe(bind);
  const fails = (): never => {
    throw new Error("no room");
  };
  expect(() => withLightBind(fails)).toThrow("no room");
  expect(AsyncResource.prototype.bind).toBe(bind);
});

it("goes without where the prototype is frozen", () => {
  const given = Object.getOwnPropertyDescriptor(AsyncResource.prototype, "bind")!; // it has one
  Object.defineProperty(AsyncResource.prototype, "bind", { ...given, writable: false });
  try {
    expect(withLightBind(() => AsyncResource.prototype.bind)).toBe(given.value);
  } finally {
    Object.defineProperty(AsyncResource.prototype, "bind", given);
  }
});
