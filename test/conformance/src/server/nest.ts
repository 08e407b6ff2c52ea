import "reflect-metadata";
import type { Server } from "node:http";
import { All, Controller, Module, Req, Res } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import type { NestExpressApplication } from "@nestjs/platform-express";
import type { Request, Response } from "express";
import { expressHandler } from "./express.js";
import type { ServerKind } from "./server-kind.js";

export const nest: ServerKind = {
  name: "NestJS 11 (Express)",
  lacks: {},
  async listen(behave) {
    const handler = expressHandler(behave);
    class Anything {
      answer(request: Request, response: Response): void {
        void handler(request, response, (error) => console.error(error));
      }
    }
    // Decorators by hand: the compiler's own form is the standard one, which Nest does not read.
    const { prototype } = Anything;
    Req()(prototype, "answer", 0);
    Res()(prototype, "answer", 1);
    All("*path")(prototype, "answer", Object.getOwnPropertyDescriptor(prototype, "answer")!); // just defined
    Controller()(Anything);
    class Root {}
    Module({ controllers: [Anything] })(Root);
    const app = await NestFactory.create<NestExpressApplication>(Root, { logger: ["error"], bodyParser: false });
    app.disable("etag");
    await app.listen(0, "127.0.0.1");
    return app.getHttpServer() as Server;
  },
};
