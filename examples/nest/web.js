// An ordinary NestJS application. Its decorators are called by hand, so that it runs without a compiler.
import "reflect-metadata";
import { Controller, Get, Module, Param } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";

class ShopController {
  async show(book) {
    const answer = await fetch(`http://stock/${book}`);
    return `the shop shows: ${await answer.text()}`;
  }
}
Controller()(ShopController); // @Controller() class ShopController
Get(":book")(ShopController.prototype, "show", Object.getOwnPropertyDescriptor(ShopController.prototype, "show")); // @Get(":book")
Param("book")(ShopController.prototype, "show", 0); // show(@Param("book") book)

class ShopModule {}
Module({ controllers: [ShopController] })(ShopModule);

const app = await NestFactory.create(ShopModule, { logger: ["error", "warn"] });
await app.listen(Number(process.env.WEB_PORT ?? 8080), "127.0.0.1");
