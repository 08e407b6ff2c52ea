/**
 * One list of values of a source, an operation or a condition, as a clause. policy-semantics §4.5, §4.6.
 *
 * What a value is compared with follows Istio's own expressions, also where a certificate's name is of another form than
 * `/ns/<namespace>/sa/<service account>`.
 */

import { compileRegex } from "../string-matcher.js";
import { blockBits } from "./address-bits.js";
import { anyOf, type Clause, type Fact, NOTHING, patternsClause } from "./clause.js";
import {
  type AddressFacts,
  AUDIENCES,
  claimFact,
  HOST,
  headerFact,
  ISSUER,
  METHOD,
  NAMESPACE,
  PATH,
  PORT,
  PRESENTER,
  PRINCIPAL,
  SERVICE_ACCOUNT,
  SNI,
  SUBJECT,
  TRUST_DOMAIN,
} from "./facts.js";
import { isTemplate, templateExpression, templatePrefix } from "./path-template.js";
import { withAliases } from "./trust-domain-aliases.js";

/** What rules mean besides what they say. */
export interface FieldContext {
  /** Of the policy: where a service account without namespace is. */
  readonly namespace: string;
  readonly trustDomains: readonly string[];
  readonly addresses: AddressFacts;
  /** Paths come in lower case. */
  readonly ignoresPathCase: boolean;
}

export interface Field {
  /** Connections that are no HTTP have nothing of the kind. */
  readonly ofHttp: boolean;
  clause(values: readonly string[], context: FieldContext): Clause;
}

const patterns = (fact: Fact, ofHttp: boolean): Field => ({
  ofHttp,
  clause: (values) => patternsClause(fact, values),
});

const blocks = (which: keyof AddressFacts): Field => ({
  ofHttp: false,
  clause: (values, { addresses }) => {
    const prefixes = values.flatMap((value) => blockBits(value) ?? []);
    const fact = addresses[which];
    return {
      test: (request) => {
        const bits = fact.read(request) as string; // text by its making
        for (const prefix of prefixes) if (bits.startsWith(prefix)) return true;
        return false;
      },
      narrowings: [{ fact, exact: [], prefixes }],
    };
  },
});

const PRINCIPALS: Field = {
  ofHttp: false,
  clause: (values, { trustDomains }) => patternsClause(PRINCIPAL, withAliases(values, trustDomains)),
};

/** With a glob, somewhere in the name of whoever it is: `.*\/ns/<glob>/.*`. */
const NAMESPACES: Field = {
  ofHttp: false,
  clause: (values) => {
    if (!values.some((value) => value.includes("*"))) return patternsClause(NAMESPACE, values);
    const tests = values.map((value) => {
      const glob = value.split("*").map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
      return compileRegex(`.*/ns/${glob.join(".*")}/.*`);
    });
    return {
      test: ({ peer }) => peer !== undefined && tests.some((test) => test(peer.id)),
      narrowings: [],
    };
  },
};

const ACCOUNTS: Field = {
  ofHttp: false,
  clause: (values, { namespace }) => {
    const accounts = values.map((value) => (value.includes("/") ? value : `${namespace}/${value}`));
    return patternsClause(SERVICE_ACCOUNT, accounts);
  },
};

const REQUEST_PRINCIPALS: Field = { ofHttp: true, clause: (values) => anyOf(values.map(requestPrincipal)) };

/** Split at the last slash: issuers have slashes, subjects seldom. Both claims must be there. */
function requestPrincipal(value: string): Clause {
  const slash = value.lastIndexOf("/");
  let [issuer, subject] = [value.slice(0, slash), value.slice(slash + 1)];
  if (slash < 0) {
    if (value.startsWith("*")) [issuer, subject] = ["*", value];
    else if (value.endsWith("*")) [issuer, subject] = [value, "*"];
    else return { test: NOTHING, narrowings: [] };
  }
  const [of, who] = [patternsClause(ISSUER, [issuer]), patternsClause(SUBJECT, [subject])];
  return {
    test: (request) => of.test(request) && who.test(request),
    narrowings: [...of.narrowings, ...who.narrowings],
  };
}

const PATHS: Field = {
  ofHttp: true,
  clause: (values, { ignoresPathCase }) => {
    const written = ignoresPathCase ? values.map((value) => value.toLowerCase()) : values;
    const plain = written.filter((value) => !isTemplate(value));
    const templates = written.filter(isTemplate).map((template): Clause => {
      const expression = templateExpression(template);
      const prefix = templatePrefix(template);
      return {
        test: ({ http }) => http !== undefined && expression.test(http.path),
        narrowings: prefix === "" ? [] : [{ fact: PATH, exact: [], prefixes: [prefix] }],
      };
    });
    return anyOf([...(plain.length > 0 ? [patternsClause(PATH, plain)] : []), ...templates]);
  },
};

const HOSTS: Field = {
  ofHttp: true,
  clause: (values) =>
    patternsClause(
      HOST,
      values.map((value) => value.toLowerCase()),
    ),
};

const PORTS: Field = {
  ofHttp: false,
  clause: (values) =>
    patternsClause(
      PORT,
      values.map((value) => String(Number(value))),
    ),
};

/** `*` is any header that is there, with an empty value, too: whoever sends one empty does not get around a rule about it. */
const headers = (fact: Fact): Field => ({
  ofHttp: true,
  clause: (values) =>
    values.includes("*")
      ? { test: (request) => fact.read(request) !== undefined, narrowings: [] }
      : patternsClause(fact, values),
});

/** Nobody here has such metadata: nothing fits, and everything is something else. */
const METADATA: Field = { ofHttp: false, clause: () => ({ test: NOTHING, narrowings: [] }) };

export const SOURCE_FIELDS: Readonly<Record<string, Field>> = {
  principals: PRINCIPALS,
  requestPrincipals: REQUEST_PRINCIPALS,
  namespaces: NAMESPACES,
  serviceAccounts: ACCOUNTS,
  trustDomains: patterns(TRUST_DOMAIN, false),
  ipBlocks: blocks("source"),
  remoteIpBlocks: blocks("remote"),
};

export const OPERATION_FIELDS: Readonly<Record<string, Field>> = {
  hosts: HOSTS,
  ports: PORTS,
  methods: patterns(METHOD, true),
  paths: PATHS,
};

const CONDITIONS: Readonly<Record<string, Field>> = {
  "source.ip": blocks("source"),
  "remote.ip": blocks("remote"),
  "destination.ip": blocks("destination"),
  "source.namespace": NAMESPACES,
  "source.serviceAccount": ACCOUNTS,
  "source.principal": PRINCIPALS,
  "source.trustDomain": patterns(TRUST_DOMAIN, false),
  "request.auth.principal": REQUEST_PRINCIPALS,
  "request.auth.audiences": patterns(AUDIENCES, true),
  "request.auth.presenter": patterns(PRESENTER, true),
  "destination.port": PORTS,
  "connection.sni": patterns(SNI, false),
};

/** @returns undefined for a key that nobody knows: validation has refused such a document */
export function conditionField(key: string): Field | undefined {
  const known = Object.hasOwn(CONDITIONS, key) ? CONDITIONS[key] : undefined;
  if (known !== undefined) return known;
  const names = [...key.matchAll(/\[([^\]]*)\]/g)].map(([, name = ""]) => name);
  if (key.startsWith("request.headers[")) return headers(headerFact((names[0] ?? "").toLowerCase()));
  if (key.startsWith("request.auth.claims[")) return patterns(claimFact(names), true);
  return key.startsWith("experimental.envoy.filters.") ? METADATA : undefined;
}
