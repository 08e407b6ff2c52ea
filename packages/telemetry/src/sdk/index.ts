export { type OpenedSdk, openSdk, type SdkOptions } from "./open-sdk.js";
