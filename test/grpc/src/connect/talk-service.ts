/** A service of all four kinds, made without generated code, and a server of Connect that speaks all of its protocols over HTTP/2. */

import { once } from "node:events";
import { createServer, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { create, createFileRegistry, type DescService } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, file_google_protobuf_wrappers } from "@bufbuild/protobuf/wkt";
import type { Client, HandlerContext } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";

const TEXT = ".google.protobuf.StringValue";
const method = (name: string, clientStreaming: boolean, serverStreaming: boolean) => ({
  ...{ name, inputType: TEXT, outputType: TEXT, clientStreaming, serverStreaming },
});

const FILE = create(FileDescriptorProtoSchema, {
  name: "talk.proto",
  package: "shop",
  syntax: "proto3",
  dependency: ["google/protobuf/wrappers.proto"],
  service: [
    {
      name: "Talk",
      method: [
        method("Say", false, false),
        method("Gather", true, false),
        method("List", false, true),
        method("Talk", true, true),
      ],
    },
  ],
});

export const TALK = createFileRegistry(FILE, () => file_google_protobuf_wrappers).getService("shop.Talk")!; // above

interface Text {
  readonly value: string;
}

/** As of generated code. */
export interface TalkClient {
  say(text: Text, options?: Parameters<Client<DescService>[string]>[1]): Promise<Text>;
  gather(texts: AsyncIterable<Text>): Promise<Text>;
  list(text: Text): AsyncIterable<Text>;
  talk(texts: AsyncIterable<Text>, options?: object): AsyncIterable<Text>;
}

export interface TalkServer {
  readonly port: number;
  /** Of each call. */
  readonly headers: Headers[];
  say: (text: Text, context: HandlerContext) => Text | Promise<Text>;
  breakConnections(): void;
  /** Breaks them, and listens no more. */
  close(): void;
}

export async function talkServer(name: string, closing: (() => unknown)[]): Promise<TalkServer> {
  const headers: Headers[] = [];
  const own: { say: TalkServer["say"] } = { say: ({ value }) => ({ value: `${name}: ${value}` }) };
  const seen = (context: HandlerContext): number => headers.push(context.requestHeader);
  const handler = connectNodeAdapter({
    routes: ({ service }) =>
      void service(TALK, {
        say: (text: Text, context: HandlerContext) => {
          seen(context);
          return own.say(text, context);
        },
        async gather(texts: AsyncIterable<Text>, context: HandlerContext) {
          seen(context);
          const all: string[] = [];
          for await (const { value } of texts) all.push(value);
          return { value: `${name}: ${all.join(",")}` };
        },
        async *list({ value }: Text, context: HandlerContext) {
          seen(context);
          for (let index = 0; index < Number(value); index++) yield { value: `${name} ${index}` };
        },
        async *talk(texts: AsyncIterable<Text>, context: HandlerContext) {
          seen(context);
          for await (const { value } of texts) yield { value: `${name}: ${value}` };
        },
      } as never),
  });
  const sessions: ServerHttp2Session[] = [];
  const server = createServer(handler);
  server.on("session", (session) => sessions.push(session));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const breakConnections = (): void => {
    for (const session of sessions.splice(0)) session.destroy();
  };
  const close = (): void => {
    breakConnections();
    server.close();
  };
  closing.push(close);
  return Object.assign(own, { port: (server.address() as AddressInfo).port, headers, breakConnections, close });
}
