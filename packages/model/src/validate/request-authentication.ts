/** What Istio's validation and CRD demand of a RequestAuthentication. policy-semantics §4.3 and §6.6. */

import type { JwtRuleSpec, RequestAuthenticationSpec } from "../kind/request-authentication.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { jwksFault, privateKeyIds } from "./jwks.js";
import { checkPolicyTarget } from "./policy-target.js";
import type { Report } from "./report.js";
import { checkCount } from "./shared-rules.js";

const MOST = { rules: 4_096, jwksUri: 2_048, claims: 64 };
const HEADER_NAME = /^[-_A-Za-z0-9]+$/;

export function checkRequestAuthentication(spec: RequestAuthenticationSpec, path: Path, report: Report): void {
  checkPolicyTarget(spec, path, report);
  checkCount(spec.jwtRules ?? [], MOST.rules, [...path, "jwtRules"], report);
  for (const [index, rule] of (spec.jwtRules ?? []).entries()) checkRule(rule, [...path, "jwtRules", index], report);
}

function checkRule(rule: JwtRuleSpec, path: Path, report: Report): void {
  const { issuer, jwks = "", jwksUri = rule.jwks_uri } = rule;
  if (issuer === "") report.error([...path, "issuer"], "the issuer is empty. Write what tokens say in iss.");
  else if (issuer === undefined && jwksUri === undefined) {
    report.error(
      path,
      "it names no issuer, so nothing tells where its keys are. Write issuer: https://accounts.example.com.",
    );
  }
  checkTexts(rule.audiences, [...path, "audiences"], "audience", report);
  if (jwksUri !== undefined) {
    report.check([...path, rule.jwksUri === undefined ? "jwks_uri" : "jwksUri"], jwksUriFault(jwksUri));
    if (rule.jwks !== undefined) report.error(path, "it says both jwks and jwksUri. Keep one of them.");
  }
  if (jwks !== "") checkKeys(jwks, [...path, "jwks"], report);
  for (const [index, { name = "" }] of (rule.fromHeaders ?? []).entries()) {
    if (name === "") report.error([...path, "fromHeaders", index], "the header has no name. Write one.");
  }
  checkTexts(rule.fromParams, [...path, "fromParams"], "parameter", report);
  checkTexts(rule.fromCookies, [...path, "fromCookies"], "cookie", report);
  for (const [index, { header = "", claim = "" }] of (rule.outputClaimToHeaders ?? []).entries()) {
    const at = [...path, "outputClaimToHeaders", index];
    if (!HEADER_NAME.test(header)) {
      report.error(
        header === "" ? at : [...at, "header"],
        `${quote(header)} is no header name: letters, digits, "-" and "_". Correct it.`,
      );
    }
    if (claim === "") report.error(at, "it names no claim. Write one, such as sub.");
  }
  checkCount(rule.spaceDelimitedClaims ?? [], MOST.claims, [...path, "spaceDelimitedClaims"], report);
  checkTexts(rule.spaceDelimitedClaims, [...path, "spaceDelimitedClaims"], "claim", report);
}

function checkKeys(jwks: string, path: Path, report: Report): void {
  const fault = jwksFault(jwks);
  if (fault !== undefined) return report.error(path, fault);
  const secret = privateKeyIds(jwks);
  if (secret.length === 0) return;
  report.warn(
    path,
    `it holds private keys (${secret.join(", ")}): whoever reads this document can write tokens. Keep the public part only.`,
  );
}

function checkTexts(texts: readonly string[] | undefined, path: Path, what: string, report: Report): void {
  for (const [index, text] of (texts ?? []).entries()) {
    if (text === "") report.error([...path, index], `the ${what} is empty. Name one, or remove it.`);
  }
}

function jwksUriFault(uri: string): string | undefined {
  const shown = quote(uri);
  if (uri.length > MOST.jwksUri)
    return `found ${uri.length} characters, at most ${MOST.jwksUri} are allowed. Shorten it.`;
  if (!/^https?:\/\/[^/?#]/i.test(uri) || !URL.canParse(uri)) {
    return `${shown} is no address to fetch keys from. Write one, such as https://accounts.example.com/jwks.json.`;
  }
  return undefined;
}
