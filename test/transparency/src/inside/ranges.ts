/**
 * The ports that servers of a suite get when it runs inside the mesh, by the protocol that the mesh is told of them. Below
 * the system's ephemeral ports, and few enough to be read in milliseconds by every process of a suite.
 */
export const RANGES = {
  HTTP: { first: 20_000, size: 2_000 },
  HTTPS: { first: 22_000, size: 500 },
  HTTP2: { first: 22_500, size: 500 },
} as const;
