export type {
  ResourceChanges,
  ResourceState,
  ResourceStatus,
  ResourceType,
  Watch,
  WatchOptions,
  XdsClient,
  XdsStatus,
} from "./watch.js";
