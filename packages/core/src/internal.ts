export type { Balancer } from "./balance/balancer.js";
export { type BalancerOptions, type BalancingPolicy, createBalancer } from "./balance/create.js";
export { XxHashLoader } from "./balance/xx-hash.js";
export { Breaker } from "./breaker/breaker.js";
export { loadOpossum } from "./breaker/opossum-switch.js";
export { isKeepable, MOST_ANSWER_BYTES, type StaleAnswers } from "./breaker/stale-answers.js";
export { canonicalPath } from "./call/canonical-path.js";
export { traceId } from "./call/carried-headers.js";
export { errorCode } from "./call/classify.js";
export type { EndpointDials, SecuredDial } from "./call/endpoint-dials.js";
export { grpcMessageText, grpcStatusOf, grpcStatusOfError, isGrpc, isServerFault } from "./call/grpc-status.js";
export {
  ATTEMPT_HEADER,
  MIRRORED_HEADER,
  NOT_PROCESSED_HEADER,
  ORIGINAL_PATH_HEADER,
  PEER_METADATA_HEADER,
  PEER_METADATA_ID_HEADER,
  RETRIED_HEADER,
  SPENT_HEADER,
  TIMEOUT_HEADER,
  WORKLOAD_HEADER,
  withoutMeshHeaders,
} from "./call/mesh-headers.js";
export { applyEachHeaderOps } from "./call/request-edit.js";
export {
  isMeshTls,
  isSecured,
  meshServerName,
  serverNameOf,
  tlsRefused,
  tlsSource,
  WRONG_PEER_CODE,
} from "./call/tls.js";
export { isTriedLater } from "./call/tries.js";
export { queryOf, withoutQuery } from "./call/without-query.js";
export type { ClusterRuntime } from "./cluster/cluster-runtime.js";
export { EndpointState } from "./cluster/endpoint-state.js";
export {
  errorCode as fileErrorCode,
  type FileStat,
  type FileSystem,
  ignoreMissing,
  nodeFiles,
  type Watching,
} from "./folder/files.js";
export { type HeldLock, LOCK, lockFolder } from "./folder/folder-lock.js";
export type { HealthFinding, HealthProbe, HealthProber, HealthTarget } from "./health/health-prober.js";
export { ClusterLimits } from "./limit/cluster-limits.js";
export { WaitingLine } from "./limit/waiting-line.js";
export { EJECTION_REASONS } from "./outlier/outlier-detector.js";
export { withLimitItems } from "./rate-limit/rate-limit-headers.js";
export type { Rehearsal, Watch, WatchedRequest } from "./rehearsal/rehearsal.js";
export { type BackoffOptions, backoffMs } from "./runtime/backoff.js";
export { withLightBind } from "./runtime/light-bind.js";
export { atProcess } from "./runtime/process-moments.js";
export { type ProtobufField, protobufFields } from "./runtime/protobuf-fields.js";
export { requirePeer } from "./runtime/require-peer.js";
export { TimerWheel, WheelNode } from "./runtime/timer-wheel.js";
export { clearTimeout, setImmediate, setInterval, setTimeout, withOwnImmediates } from "./runtime/timers.js";
export { httpToGrpcStatus } from "./security/authorizer-answer.js";
export { plainAddress, withoutBrackets } from "./security/client-address.js";
export { ObservedCalls } from "./security/observed-calls.js";
export { ANY_REST, ANY_SEGMENT, mergedTemplates, pathTemplate } from "./security/path-template.js";
export { unescaped } from "./security/unescaped.js";
export { AbsenceLog, durationText } from "./snapshot/absence-log.js";
export { createHost, type Host } from "./snapshot/host.js";
export { isDnsLabel, leaseName } from "./snapshot/lease-name.js";
export { leaseWorkload } from "./snapshot/lease-workload.js";
export { Pipeline, type PipelineOptions, type PipelineSteps } from "./snapshot/pipeline.js";
export type { ListeningAddress, PolicyFeed } from "./snapshot/policy-feed.js";
export { PolicyTexts, type PolicyTextsOptions, type TextChange, type TextEdit } from "./snapshot/policy-texts.js";
export { ProcessNotes, type ProcessNotesOptions, readProcessNotes } from "./snapshot/process-notes.js";
export { ProtectedSource, type Protection } from "./snapshot/protected-source.js";
export { REGISTRY_PROBLEMS, type RegistryProblemCode, registryProblem } from "./snapshot/registry-problem.js";
export { RememberedServices } from "./snapshot/remembered-services.js";
export { sameItems } from "./snapshot/same-items.js";
export { type SavedState, StateFile, type StateFileOptions, stateDirectory, stateHome } from "./snapshot/state-file.js";
export type { KeptResource } from "./snapshot/state-text.js";
export { type ParseDocuments, type ParsedText, succeedingDocuments } from "./snapshot/succeeding-documents.js";
export { uniqueDocuments } from "./snapshot/unique.js";
export { isLoopback, type Origin, Origins } from "./stack/origin.js";
export { Histogram, quantileOfCells } from "./stats/histogram.js";
export {
  DUMP_ENDING,
  DUMP_FOLDER,
  type Dump,
  type DumpCause,
  type DumpHead,
  dumpText,
  isOutcome,
  MOST_DUMP_BYTES,
  parseDump,
} from "./telemetry/dump.js";
export { isSampled, traceIdOf, traceSpanOf } from "./telemetry/traceparent-line.js";
