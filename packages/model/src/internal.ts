export { hostCovers, qualifiedHost } from "./compile/host.js";
export { MESH_CONFIG_API_VERSION } from "./document/api-group.js";
export { stringifyDocument } from "./document/stringify-document.js";
export { appendDocument, type EditOptions, removeDocument, replaceDocument } from "./edit/edit-policy-text.js";
export { meshConfigJsonSchema, policyJsonSchema } from "./kind/json-schema.js";
export { formatPath, type ProblemText, problemAt, quote } from "./problem-at.js";
export { nearestName } from "./validate/nearest-name.js";
export { NOT_HONOURED_FIELDS, type NotHonouredField } from "./validate/not-honoured-field.js";
