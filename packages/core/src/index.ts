export { Admitted, Gate, type GateOptions } from "./admission/gate.js";
export { DEADLINE_PASSED, type Rejection } from "./admission/rejection.js";
export type { HeaderReader, Outcome, Phase, Tunnel } from "./call/attempt.js";
export { Attempt } from "./call/attempt.js";
export { Call, type NoRetryReason } from "./call/call.js";
export { Contexts, InboundContext } from "./call/context.js";
export type { Exchange, LocalReply, MirrorExchange } from "./call/exchange.js";
export { isServerFault } from "./call/grpc-status.js";
export { Tries } from "./call/tries.js";
export type { NameAnswer, NameResolver } from "./dns/resolver.js";
export {
  type ErrorInfo,
  type ErrorPlace,
  MESH_ERRORS,
  MeshError,
  type MeshErrorCode,
  type MeshErrorOptions,
  messageOf,
} from "./errors.js";
export { type ExplainOptions, explain } from "./explain/explain.js";
export type {
  ExplainedDestination,
  ExplainedMirror,
  ExplainedRequest,
  ExplainedRoute,
  ExplainedTls,
  ExplainOutcome,
  ExplainRequest,
  Explanation,
} from "./explain/explanation.js";
export type { CredentialSource, GivenCredentials } from "./identity/credential-source.js";
export type {
  Credentials,
  Identity,
  IdentityStatus,
  PeerChain,
  PeerVerdict,
} from "./identity/identity.js";
export type {
  RateLimitCode,
  RateLimitDescriptor,
  RateLimitRequest,
  RateLimitResponse,
  RateLimitService,
  RateLimitStatus,
} from "./rate-limit/rate-limit-service.js";
export type { RateLimitServices, SharedLimitReading, SharedPass } from "./rate-limit/shared-limits.js";
export { type Clock, sleep, systemClock, type Timer } from "./runtime/clock.js";
export { type Random, seededRandom, systemRandom } from "./runtime/random.js";
export { type GuardReading, type RuleCount, ruleText } from "./security/access-counts.js";
export type { Arrival, BodyStart } from "./security/arrival.js";
export type {
  InvalidToken,
  NoToken,
  TokenKeysReading,
  TokenPlace,
  TokenRequest,
  TokenVerdict,
  TokenVerifier,
  ValidToken,
} from "./security/authenticate.js";
export { type Authorization, type AuthorizedBy, type AuthorizeRequest, authorize } from "./security/authorize.js";
export {
  type AuthorizerAnswer,
  authorizerVerdict,
  BODY_TOO_LARGE,
  silence,
  unaskable,
  unasked,
} from "./security/authorizer-answer.js";
export { type AuthorizerRequest, authorizerRequest } from "./security/authorizer-request.js";
export { clientAddress } from "./security/client-address.js";
export type {
  AuthorizerTransport,
  CheckedRequest,
  ExternalCheck,
  ExternalDenial,
  ExternalPass,
} from "./security/external-check.js";
export { Guard, type GuardOptions, type GuardVerdict, isRejection } from "./security/guard.js";
export { normalisePath } from "./security/normalise-path.js";
export type { Passage } from "./security/passage.js";
export { MemoryRegistry, type MemoryRegistryOptions } from "./snapshot/memory-registry.js";
export type { PipelineStatus, Refusal } from "./snapshot/pipeline-status.js";
export type {
  ApplyResult,
  ChangeNote,
  HeldInstances,
  KnownService,
  Lease,
  LeaseHandle,
  LeaseSpec,
  Registrar,
  RegistryView,
  Revision,
  ServiceRef,
  Source,
  SourceStatus,
  Store,
} from "./snapshot/source.js";
export { SnapshotStore, type SnapshotStoreOptions } from "./snapshot/store.js";
export { type CallObserver, Engine } from "./stack/engine.js";
export type { EngineOptions } from "./stack/engine-options.js";
export { FlightRecorder, RECORDS_KEPT } from "./telemetry/flight-recorder.js";
export type { AttemptRecord, OutcomeRecord, OutcomeSink, TimeLedger } from "./telemetry/outcome-record.js";
export { OutcomeSinks } from "./telemetry/outcome-sinks.js";
export { FLAG, type FlagName, flagBit, flagsText } from "./telemetry/response-flags.js";
export { ledgerSoFar, serverTiming, slowness, TIMING_HEADER } from "./telemetry/server-timing.js";
export { ledgerTotal } from "./telemetry/time-ledger.js";
export type { InboundHead, TraceSpan, Tracing } from "./telemetry/tracing.js";
export type { Wire } from "./telemetry/wire.js";
