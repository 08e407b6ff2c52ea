/**
 * grpc-js 1.14 keeps the parts that it put a message together from until the next one begins: on a stream where nothing is
 * said for hours, that is a second copy of the last answer, in buffers of the socket of 64 KB each.
 */

/** As deep as the parts lie; a version that has them elsewhere keeps them. */
interface StreamOfGrpcJs {
  readonly call?: {
    readonly call?: {
      readonly child?: {
        readonly underlyingCalls?: readonly { readonly call?: { readonly child?: { readonly decoder?: Decoder } } }[];
      };
    };
  };
}

interface Decoder {
  readonly readState?: unknown;
  /** Part of a buffer, too: the byte before the message that says whether it is compressed. */
  readCompressFlag?: unknown;
  readPartialMessage?: unknown;
}

/** Of its decoder, between two messages: the next one begins with an empty list. */
const NO_DATA = 0;

/** What is left of a message that was received whole. Nothing of one that is on its way. */
export function dropReadParts(stream: object): void {
  const calls = (stream as StreamOfGrpcJs).call?.call?.child?.underlyingCalls ?? [];
  for (const { call } of calls) {
    const decoder = call?.child?.decoder;
    if (decoder?.readState !== NO_DATA || !Array.isArray(decoder.readPartialMessage)) continue;
    decoder.readPartialMessage = [];
    decoder.readCompressFlag = Buffer.alloc(1);
  }
}
