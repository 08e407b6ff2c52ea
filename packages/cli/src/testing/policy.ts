/** For tests: policy of the bookshop, small enough to read. */

export const REVIEWS = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: reviews, namespace: shop }
spec:
  hosts: [reviews.shop.svc.cluster.local]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints:
    - { address: 10.0.0.1, labels: { version: v1 } }
    - { address: 10.0.0.2, labels: { version: v2 } }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews, namespace: shop }
spec:
  host: reviews.shop.svc.cluster.local
  subsets:
    - { name: v1, labels: { version: v1 } }
    - { name: v2, labels: { version: v2 } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: shop }
spec:
  hosts: [reviews.shop.svc.cluster.local]
  http:
    - name: beta
      match: [{ headers: { x-user: { exact: beta } } }]
      route: [{ destination: { host: reviews.shop.svc.cluster.local, subset: v2 } }]
    - name: canary
      route:
        - { destination: { host: reviews.shop.svc.cluster.local, subset: v1 }, weight: 90 }
        - { destination: { host: reviews.shop.svc.cluster.local, subset: v2 }, weight: 10 }
      timeout: 3s
      retries: { attempts: 3, perTryTimeout: 1s, retryOn: "5xx,reset" }
`;

/** A timeout that is no duration, on line 7. */
export const BAD_TIMEOUT = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: bad, namespace: shop }
spec:
  hosts: [bad]
  http:
    - timeout: soon
      route: [{ destination: { host: bad } }]
`;
