/** `npm run bench [-- NAME…] [-- --json]`: runs the named benchmarks, or all of them, one after the other. */

import { machine, print, type Report } from "./lib/table.js";
import { accessLog } from "./row/access-log.js";
import { analyzeBench } from "./row/analyze.js";
import { authz } from "./row/authz.js";
import { balance } from "./row/balance.js";
import { breaker } from "./row/breaker.js";
import { compileBench } from "./row/compile.js";
import { consulBench } from "./row/consul.js";
import { consulPolicy } from "./row/consul-policy.js";
import { envoy } from "./row/envoy.js";
import { grpc } from "./row/grpc.js";
import { grpcXds } from "./row/grpc-xds.js";
import { idle } from "./row/idle.js";
import { leaves } from "./row/leaves.js";
import { match } from "./row/match.js";
import { pick } from "./row/pick.js";
import { pipeline } from "./row/pipeline.js";
import { serverSecurity } from "./row/server-security.js";
import { clients, mtls, resilience, rivals, sockets } from "./row/sockets.js";
import { spans } from "./row/spans.js";
import { startUp } from "./row/start-up.js";
import { telemetry } from "./row/telemetry.js";
import { tokens } from "./row/tokens.js";
import { xdsBench } from "./row/xds.js";
import { xdsTold } from "./row/xds-told.js";

const BENCHES: Readonly<Record<string, () => Promise<Report>>> = {
  match,
  pick,
  breaker,
  balance,
  compile: compileBench,
  pipeline,
  leaves,
  "access-log": accessLog,
  spans,
  telemetry,
  analyze: analyzeBench,
  startup: startUp,
  sockets,
  resilience,
  mtls,
  grpc,
  "grpc-xds": grpcXds,
  idle,
  clients,
  rivals,
  envoy,
  consul: consulBench,
  "consul-policy": consulPolicy,
  tokens,
  security: serverSecurity,
  authz,
  xds: xdsBench,
  "xds-told": xdsTold,
};

const named = process.argv.slice(2).filter((argument) => !argument.startsWith("-"));
const json = process.argv.includes("--json");
const unknown = named.filter((name) => BENCHES[name] === undefined);
if (unknown.length > 0) {
  console.error(`no benchmark "${unknown.join('", "')}"; there are: ${Object.keys(BENCHES).join(", ")}`);
  process.exitCode = 2;
} else {
  if (!json) console.log(machine());
  for (const [name, run] of Object.entries(BENCHES)) {
    if (named.length === 0 || named.includes(name)) print(await run(), json);
  }
}
