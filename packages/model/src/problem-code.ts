/**
 * Codes of the problems found in documents, where Istio has none of its own. Explained in docs/reference/problems.md.
 * IM00xx: the text. IM02xx: what this version makes of it. IM09xx: telemetry. Others are those of the packages that find them.
 */
export const DOCUMENT_PROBLEM_CODES = {
  IM0001: "the file, or a document in it, is no YAML that can be read",
  IM0002: "a document is no resource: apiVersion, kind or name is missing or wrong",
  IM0003: "a document of a kind that inmesh does not know",
  IM0004: "a document of a kind that inmesh knows but this version does not honour",
  IM0005: "a document is larger inside than it may be: nested too deeply, or blown up by aliases",
  IM0006: "inmesh failed while it judged a document",
  IM0901: "a filter of a Telemetry that inmesh cannot evaluate: more than the documented part of CEL",
  IM0903: "an access log format uses an operator that inmesh does not have",
  IM0201: "a field is accepted, but this version does not act on it",
} as const;
