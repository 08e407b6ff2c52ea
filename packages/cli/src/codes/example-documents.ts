/** Documents that the examples of ./problem-help.ts and ./good-example.ts are made of. */

export const REVIEWS = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: reviews, namespace: shop }
spec:
  hosts: [reviews.shop.svc.cluster.local]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints: [{ address: 10.1.0.7, labels: { version: v1 } }]
`;

export const virtualService = (http: string, name = "reviews"): string => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: shop }
spec:
  hosts: [${name}]
  http:
${http}`;

export const TO_REVIEWS = "    - route: [{ destination: { host: reviews } }]\n";

export const sidecar = (name: string, selector: string): string => `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: ${name}, namespace: shop }
spec:
${selector}  egress: [{ hosts: ["./*"] }]
`;

/** @param port of its only listener */
export const sidecarOf = (port: string): string => `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: web, namespace: shop }
spec:
  egress: [{ port: ${port}, hosts: ["./*"] }]
`;

export const TO_PORT_80 = "    - route: [{ destination: { host: reviews, port: { number: 80 } } }]\n";

export const meshMode = (name: string): string => `apiVersion: inmesh.dev/v1alpha1
kind: MeshMode
metadata: { name: ${name}, namespace: shop }
spec: { mode: observe }
`;

export const circuitBreaker = (name: string, spec = "{ host: reviews }"): string => `apiVersion: inmesh.dev/v1alpha1
kind: CircuitBreaker
metadata: { name: ${name}, namespace: shop }
spec: ${spec}
`;

export const rateLimit = (namespace: string): string => `apiVersion: inmesh.dev/v1alpha1
kind: RateLimit
metadata: { name: limits, namespace: ${namespace} }
spec:
  host: reviews.shop.svc.cluster.local
  rules: [{ name: all, requests: 100, per: 1s }]
`;

export const destinationRule = (name: string, rest: string): string => `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name}, namespace: shop }
spec:
  host: ${name}
${rest}`;

/** @param backend a backendRef of its only rule */
export const httpRoute = (
  parent: string,
  backend = "{ name: reviews, port: 80 }",
): string => `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: reviews, namespace: shop }
spec:
  parentRefs: [${parent}]
  rules: [{ backendRefs: [${backend}] }]
`;

export const gateway = (hosts: string): string => `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: front, namespace: shop }
spec:
  selector: { app: front }
  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: [${hosts}] }]
`;

/** @param rest of the spec, a line */
export const envoyFilter = (
  applyTo: string,
  patch: string,
  rest = "",
): string => `apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: limits, namespace: shop }
spec:
${rest}  configPatches:
    - applyTo: ${applyTo}
      patch: ${patch}
`;
