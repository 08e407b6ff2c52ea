/**
 * Envoy's access log formats: text with command operators, `%REQ(:METHOD)%`, `%START_TIME(%s)%`, `%RESP(x-id):12%`. What is
 * not known here is a problem, never a silent dash (observability §5.2). Pure.
 */

/** Takes: nothing; a header's name, with a second one to fall back on; or a pattern of time. */
const OPERATORS = {
  START_TIME: "time",
  REQ: "header",
  REQ_WITHOUT_QUERY: "header",
  RESP: "header",
  TRAILER: "header",
  PROTOCOL: "",
  RESPONSE_CODE: "",
  RESPONSE_CODE_DETAILS: "",
  RESPONSE_FLAGS: "",
  GRPC_STATUS: "grpc",
  BYTES_RECEIVED: "",
  BYTES_SENT: "",
  DURATION: "",
  UPSTREAM_HOST: "",
  UPSTREAM_CLUSTER: "",
  UPSTREAM_CLUSTER_RAW: "",
  UPSTREAM_LOCAL_ADDRESS: "",
  UPSTREAM_TRANSPORT_FAILURE_REASON: "",
  UPSTREAM_REQUEST_ATTEMPT_COUNT: "",
  CONNECTION_TERMINATION_DETAILS: "",
  DOWNSTREAM_REMOTE_ADDRESS: "",
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: "",
  DOWNSTREAM_LOCAL_ADDRESS: "",
  DOWNSTREAM_PEER_URI_SAN: "",
  UPSTREAM_PEER_URI_SAN: "",
  REQUESTED_SERVER_NAME: "",
  ROUTE_NAME: "",
  TRACE_ID: "",
} as const;

export type LogOperatorName = keyof typeof OPERATORS;

export interface LogOperator {
  readonly name: LogOperatorName;
  /** Header in lower case, or pattern of time; empty. */
  readonly argument: string;
  /** Header to fall back on; empty. */
  readonly alternative: string;
  /** In characters; 0: all of it. */
  readonly maxLength: number;
}

/** Text as it is, or what stands in its place. */
export type LogFormatPart = string | LogOperator;

export interface ParsedLogFormat {
  readonly parts: readonly LogFormatPart[];
  /** Sentences; the parts leave out what they are about. */
  readonly problems: readonly string[];
}

/** Of a format and of its operators; longer ones are refused. */
const LONGEST = 16_384;
const MOST_OPERATORS = 256;
const OPERATOR = /^%([A-Z][A-Z0-9_]*)(?:\(((?:[^()%]|%[a-zA-Z0-9])*)\))?(?::(\d{1,5}))?%/;
const HEADER = /^:?[A-Za-z0-9!#$&'*+.^_`|~-]+$/;
const PSEUDO = new Set([":method", ":path", ":authority", ":scheme", ":status"]);
const GRPC_FORMS = new Set(["", "NUMBER", "CAMEL_STRING", "SNAKE_STRING"]);

export function parseLogFormat(format: string): ParsedLogFormat {
  if (format.length > LONGEST) return { parts: [], problems: [`a format of more than ${LONGEST} characters`] };
  const parts: LogFormatPart[] = [];
  const problems: string[] = [];
  let text = "";
  let operators = 0;
  for (let at = 0; at < format.length; ) {
    if (format[at] !== "%") {
      const next = format.indexOf("%", at);
      const end = next < 0 ? format.length : next;
      text += format.slice(at, end);
      at = end;
      continue;
    }
    if (format[at + 1] === "%") {
      text += "%";
      at += 2;
      continue;
    }
    const [whole, name = "", argument = "", length = "0"] = OPERATOR.exec(format.slice(at, at + 512)) ?? [];
    if (whole === undefined) {
      problems.push(`"${format.slice(at, at + 20)}" is no operator; a percent sign itself is written %%`);
      break;
    }
    if (text !== "") parts.push(text);
    text = "";
    const found = readOperator(name, argument, Number(length));
    if (typeof found === "string") problems.push(found);
    else parts.push(found);
    if (++operators > MOST_OPERATORS) {
      problems.push(`a format of more than ${MOST_OPERATORS} operators`);
      break;
    }
    at += whole.length;
  }
  if (text !== "") parts.push(text);
  return { parts, problems };
}

export function isLogOperator(name: string): name is LogOperatorName {
  return Object.hasOwn(OPERATORS, name);
}

export const LOG_OPERATORS = Object.keys(OPERATORS) as readonly LogOperatorName[];

function readOperator(name: string, argument: string, maxLength: number): LogOperator | string {
  if (!isLogOperator(name)) return `%${name}% is not supported; there are ${LOG_OPERATORS.join(", ")}`;
  const takes = OPERATORS[name];
  if (takes === "" && argument !== "") return `%${name}% takes no argument`;
  if (takes === "time") return { name, argument, alternative: "", maxLength };
  if (takes === "grpc") {
    if (!GRPC_FORMS.has(argument)) return `%${name}% takes NUMBER, CAMEL_STRING or SNAKE_STRING`;
    return { name, argument, alternative: "", maxLength };
  }
  if (takes === "") return { name, argument: "", alternative: "", maxLength };
  const [first = "", second = "", ...more] = argument.split("?");
  const wrong = [first, ...(second === "" ? [] : [second])].find((header) => !isHeader(header));
  if (wrong !== undefined || more.length > 0) return `%${name}(${argument})% takes a header's name, X or X?Y`;
  return { name, argument: first.toLowerCase(), alternative: second.toLowerCase(), maxLength };
}

function isHeader(name: string): boolean {
  return HEADER.test(name) && (!name.startsWith(":") || PSEUDO.has(name.toLowerCase()));
}
