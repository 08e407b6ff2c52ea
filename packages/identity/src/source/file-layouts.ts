/** Which files hold a certificate: the layouts of those who write them, told by what is there. */

export interface FileLayout {
  /** Whose it is, in words. */
  readonly writer: string;
  readonly certificateChain: string;
  readonly privateKey: string;
  readonly roots: string;
}

export const FILE_LAYOUTS: readonly FileLayout[] = [
  { writer: "cert-manager", certificateChain: "tls.crt", privateKey: "tls.key", roots: "ca.crt" },
  {
    writer: "Istio's agent",
    certificateChain: "cert-chain.pem",
    privateKey: "key.pem",
    roots: "root-cert.pem",
  },
  {
    writer: "the SPIFFE helper",
    certificateChain: "svid.pem",
    privateKey: "svid_key.pem",
    roots: "svid_bundle.pem",
  },
];

/** There is nothing that could be about to become complete. */
export class NoFiles extends Error {}

/** @throws {Error} a sentence, where no layout is complete, or more than one is; {NoFiles} where none has begun */
export function layoutOf(names: readonly string[]): FileLayout {
  const there = (file: string): boolean => names.includes(file);
  const missing = (layout: FileLayout): string[] => filesOf(layout).filter((file) => !there(file));
  const complete = FILE_LAYOUTS.filter((layout) => missing(layout).length === 0);
  if (complete.length > 1) {
    const writers = complete.map(({ writer, certificateChain }) => `${writer} (${certificateChain})`).join(" and of ");
    throw new Error(`it holds the files of ${writers}: which of them counts? Leave those of one`);
  }
  const [found] = complete;
  if (found !== undefined) return found;
  const begun = FILE_LAYOUTS.find((layout) => filesOf(layout).some(there));
  if (begun !== undefined) throw new Error(`${missing(begun).join(" and ")} of ${begun.writer} is not there`);
  throw new NoFiles(`it holds none of ${FILE_LAYOUTS.map((layout) => filesOf(layout).join(", ")).join("; ")}`);
}

export function filesOf({ certificateChain, privateKey, roots }: FileLayout): string[] {
  return [certificateChain, privateKey, roots];
}
