import { describe, expect, it } from "vitest";
import { ask, CALLER_ID, dial, dialPlain, SecuredMesh, said, secureOptions } from "./secured-server.js";

describe("a server of the mesh", () => {
  it("takes TLS and plaintext on one port", async () => {
    await using mesh = new SecuredMesh();
    const { port } = await mesh.serve();
    expect(said(await ask(dial(port)))).toMatchObject({ peer: CALLER_ID });
    expect(said(await ask(dialPlain(port)))).toMatchObject({ peer: "" });
    const heard = await ask(dial(port, secureOptions(undefined)));
    expect(heard).toMatchObject({ text: "", code: "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED" });
  });
});
