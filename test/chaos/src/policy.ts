/** What operators would write for these services. `LIMITS` of the clients says the same times. */

import { LIMITS } from "./client/client.js";

export const RETRY_RATIO = 0.2;

/** Beside the share of the requests: a fiftieth of the rate at which they come, and one at least. */
export function retriesPerSecond(perSecond: number): number {
  return Math.max(1, Math.round(perSecond / 50));
}

/** Everything on that helps a caller against sick endpoints. @param perSecond requests that are to come @param patience times LIMITS */
export const guarded = (perSecond: number, patience: number): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shelf, namespace: shop }
spec:
  hosts: [shelf]
  http:
    - timeout: ${patience * LIMITS.allMs}ms
      retries: { attempts: ${LIMITS.retries}, perTryTimeout: ${patience * LIMITS.attemptMs}ms, retryOn: "5xx,reset,connect-failure" }
      route: [{ destination: { host: shelf } }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: shelf, namespace: shop }
spec:
  host: shelf
  trafficPolicy:
    connectionPool: { tcp: { connectTimeout: ${patience * LIMITS.connectMs}ms } }
    outlierDetection: { consecutive5xxErrors: 5, interval: 1s, baseEjectionTime: 2s, maxEjectionPercent: 50 }
---
apiVersion: inmesh.dev/v1alpha1
kind: Resilience
metadata: { name: shelf, namespace: shop }
spec:
  host: shelf
  retry: { percent: ${100 * RETRY_RATIO}, minPerSecond: ${retriesPerSecond(perSecond)} }
---
apiVersion: inmesh.dev/v1alpha1
kind: CircuitBreaker
metadata: { name: shelf, namespace: shop }
spec: { host: shelf, window: 3s, minRequests: 20, failurePercent: 60, openFor: 1s }
`;

const RETRYING = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shelf, namespace: shop }
spec:
  hosts: [shelf]
  http:
    - timeout: ${LIMITS.allMs}ms
      retries: { attempts: ${LIMITS.retries}, perTryTimeout: ${LIMITS.attemptMs}ms, retryOn: "5xx,reset,connect-failure" }
      route: [{ destination: { host: shelf } }]
`;

/** Retries, and nothing that bounds them: Istio's retryBudget and everything of ours is left away. */
export const UNGUARDED = RETRYING;

/** Against overload: retries have a budget, and servers take what they can do in time. @param atATime requests a server takes */
export const admitting = (atATime: number): string => `${RETRYING}---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: shelf, namespace: shop }
spec:
  host: shelf
  trafficPolicy: { retryBudget: { percent: 20, minRetryConcurrency: 3 } }
---
apiVersion: inmesh.dev/v1alpha1
kind: Resilience
metadata: { name: shelf, namespace: shop }
spec:
  host: shelf
  retry: { percent: 20, minPerSecond: 2 }
  server: { maxConcurrency: ${atATime} }
`;
