/** `inmesh explain`: where a request would go, and why. Nothing is sent. */

import { explain, MeshError } from "@inmesh/core";
import type { ClientContext } from "@inmesh/model";
import { Command } from "commander";
import type { Cli } from "../cli.js";
import { CliError, EXIT, type ExitCode } from "../exit.js";
import { parseRequestLine, requestFromArguments } from "../input/explain-request.js";
import { answerLines } from "../input/request-lines.js";
import { adminClient } from "../live/admin-client.js";
import { readLive } from "../live/callers.js";
import { collect, formatOf, namespaceOf, withCommon, withRegistry } from "../options.js";
import { formatAccess } from "../output/authorization.js";
import { formatExplanation } from "../output/explanation.js";
import { printData, REPORT_FORMATS } from "../output/format.js";
import { formatLive } from "../output/live-explanation.js";
import { printable } from "../output/paint.js";
import { clientContext, parseServiceName } from "../registry/client-context.js";
import { type OpenRegistry, withOpenRegistry } from "../registry/open-registry.js";
import { serverAccess } from "../registry/server-access.js";
import { withRemote } from "./change.js";
import { action, type CommandPorts } from "./define.js";
import { type ViewOptions, withFrom } from "./services.js";

interface ExplainOptions extends ViewOptions {
  readonly header?: readonly string[];
  readonly labels?: string;
  readonly requests?: string;
  readonly remote?: boolean;
}

const EXAMPLES = `
Examples:
  inmesh explain GET http://reviews/api/reviews/42
  inmesh explain GET http://reviews/api --from shop/web -H "x-user: beta"
  inmesh explain GET http://reviews/api --from shop/web     the last lines: as running processes of web see it
  inmesh explain --requests requests.jsonl -o json     thousands in one run; - reads standard input

With --requests each line is a JSON object: {"method","url"} or {"method","host","port","path"}, with "headers", "from"
and "labels"; each gives one line of JSON, {"error"} for a line that is no request.
`;

export function explainCommand(ports: CommandPorts): Command {
  const command = withFrom(
    new Command("explain")
      .description("tell where a request would go, and why; nothing is sent")
      .argument("[method]", "GET, POST, …")
      .argument("[url]", "http://service/path")
      .option("-H, --header <header>", 'header of the request, "name: value" (repeatable)', collect)
      .option("--labels <labels>", "labels of the caller, key=value,key=value, in place of those of --from")
      .option("--requests <file>", "explain each line of this file of JSON lines")
      .addHelpText("after", EXAMPLES),
  );
  return withRemote(withRegistry(withCommon(command, REPORT_FORMATS))).action(
    action<[string | undefined, string | undefined], ExplainOptions>(ports, async (cli, [method, url], options) => {
      const namespace = callerNamespace(cli, options);
      const within = { ...options, namespace };
      if (options.requests !== undefined) {
        if (method !== undefined)
          throw new CliError(EXIT.usage, "--requests and a request were given", "Give one of them.");
        const { requests } = options;
        return withOpenRegistry(within, cli, (registry) => explainLines(cli, registry, options, namespace, requests));
      }
      const [verb, target] = url === undefined ? ["GET", method] : [method, url];
      if (verb === undefined || target === undefined || (url === undefined && !/[/.:]/.test(target))) {
        throw new CliError(
          EXIT.usage,
          "no request was given",
          "Write for instance: inmesh explain GET http://reviews/api",
        );
      }
      const request = requestFromArguments(verb, target, options.header ?? []);
      return withOpenRegistry(within, cli, async (registry) => {
        const client = callerOf(options.from, options.labels, namespace, registry);
        const { snapshot } = await registry.viewOf(client);
        const explained = asked(() => explain(snapshot, request));
        const [access, live] = await Promise.all([
          serverAccess(registry, client, snapshot, explained),
          readLive(adminClient(cli, options), registry.view.leases, client, explained),
        ]);
        const answer = { ...explained, access, live };
        const format = formatOf(options);
        if (format === "json" || format === "yaml") printData(cli, format, answer);
        else {
          const from = client.service === "" ? "an unnamed caller" : `${client.namespace}/${client.service}`;
          cli.print(printable(`${request.method} ${request.url} from ${from}`));
          cli.print(
            `\n${formatExplanation(request, answer, cli.paint)}${formatAccess(access, cli.paint)}${formatLive(live, cli.paint)}`,
          );
        }
        return EXIT.ok;
      });
    }),
  );
}

/** Policy without a namespace belongs to that of the caller, as in the caller's own process. */
function callerNamespace(cli: Cli, { from, namespace }: ExplainOptions): string {
  const given = namespaceOf(namespace === undefined ? {} : { namespace }, cli);
  return from === undefined || namespace !== undefined ? given : parseServiceName(from, given).namespace;
}

function callerOf(
  from: string | undefined,
  labels: string | undefined,
  namespace: string,
  { view }: OpenRegistry,
): ClientContext {
  const client = clientContext(from, namespace, view.leases);
  if (labels === undefined) return client;
  const pairs = labels.split(",").map((label) => label.split("="));
  if (pairs.some((pair) => pair.length !== 2 || pair[0] === "")) {
    throw new CliError(EXIT.usage, `"${labels}" are no labels`, "Write --labels key=value,key=value.");
  }
  return { ...client, labels: Object.fromEntries(pairs) as Record<string, string> };
}

function asked<T>(answer: () => T): T {
  try {
    return answer();
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    throw new CliError(EXIT.usage, error.message, "See: inmesh explain --help");
  }
}

function explainLines(
  cli: Cli,
  registry: OpenRegistry,
  { from, labels }: ExplainOptions,
  namespace: string,
  file: string,
): Promise<ExitCode> {
  return answerLines(cli, file, async (line) => {
    const parsed = parseRequestLine(line);
    if (typeof parsed === "string") return { error: `${parsed}. Expected {"method","url","headers","from"}.` };
    const client = callerOf(parsed.from ?? from, labels, namespace, registry);
    const caller = parsed.labels === undefined ? client : { ...client, labels: parsed.labels };
    const { snapshot } = await registry.viewOf(caller);
    const answer = explain(snapshot, parsed.request);
    return { ...answer, access: await serverAccess(registry, caller, snapshot, answer) };
  });
}
