/**
 * The ports that servers of a suite get when it runs inside the mesh, by the protocol that the mesh is told of them. Below
 * the system's ephemeral ports, and few enough to be read in milliseconds by every process of a suite.
 */
export const RANGES = {
  HTTP: { first: 20_000, size: 600 },
  HTTPS: { first: 20_600, size: 150 },
  HTTP2: { first: 20_750, size: 150 },
} as const;
