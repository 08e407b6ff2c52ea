/** The one module of node-forge that is used, without the rest of it: its start-up cost is a third. */
declare module "node-forge/lib/asn1.js" {
  import type { asn1 as all } from "node-forge";

  interface ReadOptions {
    strict?: boolean;
    parseAllBytes?: boolean;
    decodeBitStrings?: boolean;
    maxDepth?: number;
  }
  const asn1: Omit<typeof all, "fromDer"> & { fromDer(bytes: string, options: ReadOptions): all.Asn1 };
  export default asn1;
}
