/** Of a process under a control plane that speaks xDS. */

/** How a process and its control plane stand, type by type. */
export interface XdsReading {
  readonly profile: "api" | "envoy" | "grpc";
  /** `host:port` that is connected or tried. */
  readonly server: string;
  /** What it calls itself; empty where it does not. */
  readonly controlPlane: string;
  /** Id of this process there. */
  readonly node: string;
  /** `host:port` of its client status discovery; absent: it is off. */
  readonly clientStatus?: string;
  readonly types: readonly XdsTypeReading[];
  /** Refused (NACKed) resources, the first 20. */
  readonly refused: readonly { readonly type: string; readonly name: string; readonly error: string }[];
  /** What is passed over of resources that are in use, a sentence each, the first 20. */
  readonly ignored: readonly string[];
}

export interface XdsTypeReading {
  /** `Cluster`, `VirtualService`. */
  readonly type: string;
  /** Resources by their state in client status discovery. */
  readonly states: Readonly<Record<string, number>>;
  /** Of the newest answer that was taken; empty before. */
  readonly version: string;
  /** Since the newest of them came; -1 before. */
  readonly ageMs: number;
}
