/** `inmesh authz check`: whether a service would let a request in, and which rule says so. Nothing is sent. */

import { type Authorization, type AuthorizeRequest, authorize, MeshError } from "@inmesh/core";
import { Command } from "commander";
import type { Cli } from "../cli.js";
import { action, type CommandPorts } from "../command/define.js";
import { CliError, EXIT, type ExitCode } from "../exit.js";
import { type AuthorizeArguments, authorizeFromArguments, parseAuthorizeLine } from "../input/authorize-request.js";
import { answerLines } from "../input/request-lines.js";
import { collect, formatOf, namespaceOf, type RegistryOptions, withCommon, withRegistry } from "../options.js";
import { formatAuthorization } from "../output/authorization.js";
import { printData, REPORT_FORMATS } from "../output/format.js";
import { clientContext } from "../registry/client-context.js";
import { needDocuments } from "../registry/control-plane-limits.js";
import { type OpenRegistry, withOpenRegistry } from "../registry/open-registry.js";

interface AuthzOptions extends RegistryOptions, AuthorizeArguments {
  readonly to?: string;
  readonly tcp?: boolean;
  readonly requests?: string;
}

const EXAMPLES = `
Examples:
  inmesh authz check --to shop/cart GET /items --principal cluster.local/ns/shop/sa/web
  inmesh authz check --to shop/cart:8080 DELETE /items/1 --claims '{"iss":"https://id.example","sub":"ann"}'
  inmesh authz check --to shop/cart --requests requests.jsonl -o json     thousands in one run; - reads standard input

The answer is the one that the service's own process gives: paths are normalised first, and TLS is asked, too. Exit code 0:
it is let in; 1: it is not. With --requests each line is a JSON object: {"method","path","host","port","headers",
"principal","sourceIp","remoteIp","claims","sni","to"}; each gives one line of JSON, {"error"} for a line that is no
request, and the exit code is 0.
`;

export function authzCheckCommand(ports: CommandPorts): Command {
  const command = new Command("check")
    .description("tell whether a service lets a request in, and which rule says so; nothing is sent")
    .argument("[method]", "GET, POST, …")
    .argument("[path]", "/path?query, as a caller would send it")
    .option("--to <workload>", "who is called: service, ns/service, with :port for rules about ports")
    .option("--host <host>", "Host header (default: the service's name)")
    .option("--principal <id>", "of the caller's certificate (default: plaintext)")
    .option("--source-ip <address>", "of whoever opens the connection")
    .option("--remote-ip <address>", "of the client behind proxies (default: by x-forwarded-for as policy trusts it)")
    .option("--claims <json>", "of a valid token (default: no token)")
    .option("--sni <name>", "server name of the TLS handshake")
    .option("--tcp", "judge a connection that is no HTTP")
    .option("-H, --header <header>", 'header of the request, "name: value" (repeatable)', collect)
    .option("--requests <file>", "judge each line of this file of JSON lines")
    .addHelpText("after", EXAMPLES);
  return withRegistry(withCommon(command, REPORT_FORMATS)).action(
    action<[string | undefined, string | undefined], AuthzOptions>(ports, (cli, [method, path], options) =>
      withOpenRegistry({ ...options, namespace: namespaceCalled(cli, options) }, cli, (registry) => {
        needDocuments(registry, "judge by");
        return options.requests === undefined
          ? judgeOne(cli, registry, options, method, path)
          : judgeLines(cli, registry, options, options.requests);
      }),
    ),
  );
}

async function judgeOne(
  cli: Cli,
  registry: OpenRegistry,
  options: AuthzOptions,
  method: string | undefined,
  path: string | undefined,
): Promise<ExitCode> {
  const [verb, target] = path === undefined ? ["GET", method] : [method, path];
  if (options.tcp !== true && (verb === undefined || target === undefined || !/[/*]/.test(target))) {
    throw new CliError(
      EXIT.usage,
      "no request was given",
      "Write for instance: inmesh authz check --to shop/cart GET /items",
    );
  }
  const typed = authorizeFromArguments(verb ?? "GET", target ?? "/", options);
  const request: AuthorizeRequest = options.tcp === true ? { ...typed, protocol: "tcp" } : typed;
  const answer = await judged(cli, registry, options, request, options.to);
  const format = formatOf(options);
  if (format === "json" || format === "yaml") printData(cli, format, answer);
  else cli.print(formatAuthorization(answer, cli.paint));
  return answer.allowed ? EXIT.ok : EXIT.bad;
}

function judgeLines(cli: Cli, registry: OpenRegistry, options: AuthzOptions, file: string): Promise<ExitCode> {
  return answerLines(cli, file, async (line) => {
    const parsed = parseAuthorizeLine(line);
    if (typeof parsed === "string") return { error: `${parsed}. Expected {"method","path","host","principal"}.` };
    return judged(cli, registry, options, parsed.request, parsed.to ?? options.to);
  });
}

/** @throws {CliError} */
async function judged(
  cli: Cli,
  registry: OpenRegistry,
  options: AuthzOptions,
  request: AuthorizeRequest,
  to: string | undefined,
): Promise<Authorization> {
  if (to === undefined) {
    throw new CliError(
      EXIT.usage,
      "it is not said who is called",
      "Write --to service, or --to namespace/service:port.",
    );
  }
  const [, name = to, port] = /^(.*?)(?::(\d{1,5}))?$/.exec(to) ?? [];
  const workload = clientContext(name, namespaceOf(options, cli), registry.view.leases);
  const { snapshot } = await registry.viewOf(workload);
  const listening = registry.view.leases.find(
    ({ namespace, service, ports }) =>
      namespace === workload.namespace && service === workload.service && ports.length > 0,
  );
  const known = port === undefined ? listening?.ports[0]?.number : Number(port);
  try {
    return authorize(snapshot, {
      ...(known !== undefined && { port: known }),
      host: workload.service,
      ...request,
      ...(request.url !== undefined && request.host === undefined && { host: hostOf(request.url) }),
    });
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    throw new CliError(EXIT.usage, error.message, "See: inmesh authz check --help");
  }
}

function hostOf(url: string): string {
  return /^[^:]*:\/\/([^/?#]*)/.exec(url)?.[1] ?? "";
}

/** Policy without a namespace belongs to that of the workload, as in its own process. */
function namespaceCalled(cli: Cli, { to, namespace }: AuthzOptions): string {
  const given = namespaceOf(namespace === undefined ? {} : { namespace }, cli);
  if (to === undefined || namespace !== undefined) return given;
  return clientContext(to.replace(/:\d+$/, ""), given, []).namespace;
}
