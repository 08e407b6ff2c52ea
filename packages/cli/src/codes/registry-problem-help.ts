/** What `inmesh help IM0701` and its like say: problems of the registry itself. See ./problem-help.ts. */

import { REGISTRY_PROBLEMS } from "@inmesh/core/internal";
import { TO_REVIEWS, virtualService } from "./example-documents.js";
import type { ProblemHelp } from "./problem-help.js";

const OURS: Readonly<Record<string, string>> = REGISTRY_PROBLEMS;
const ours = (code: string, more = ""): string => `${OURS[code] ?? ""}${more}`;

export const REGISTRY_PROBLEM_HELP: Readonly<Record<string, ProblemHelp>> = {
  IM0701: {
    severity: "error",
    when: ours("IM0701", "; the message names both"),
    remedy: "Keep one of the two. The first is used until then.",
    yaml: `${virtualService(TO_REVIEWS)}---\n${virtualService(TO_REVIEWS)}`,
  },
  IM0702: {
    severity: "error",
    when: ours("IM0702", "; what it last said stays in force"),
    remedy: "Make it readable for the user the process runs as: chmod, chown, or repair the link.",
    message: "IM0702 error reviews.yaml cannot be read: no permission",
  },
  IM0703: {
    severity: "warning",
    when: ours("IM0703"),
    remedy: "Another program, or a newer inmesh, wrote into .workloads. Remove the file, or bring all to one version.",
    message: "IM0703 warning .workloads/shop.web.1.yaml is no lease: address is missing",
  },
  IM0704: {
    severity: "warning",
    when: ours("IM0704", "; it is tried again until it can"),
    remedy:
      "Others do not find this process. In a folder, check that it may write to .workloads and that the disk has room; with Consul, that an agent answers at the URL and the token has service:write on the service's name.",
    message: "IM0704 warning the lease of this process cannot be written: the disk is full",
  },
  IM0705: {
    severity: "error",
    when: ours("IM0705", "; the rest is left out"),
    remedy: "Point the registry at the folder that holds only policy, or move other files elsewhere.",
    message: "IM0705 error the folder holds more than 10000 files",
  },
  IM0706: {
    severity: "warning",
    when: ours("IM0706", ": of another registry, service or user, damaged, too old, or open to others"),
    remedy:
      "The message names the file and says which it is. Remove it: it is written anew as soon as the registry answers. If others can write to it or its folder, see who did, and correct owner and mode (0700, 0600).",
    message:
      "IM0706 warning the state in /var/cache/inmesh/3f0a9c/policy.jsonl is not used: it is that of shop/web at consul://10.0.0.5:8500, expected shop/web at consul://10.0.0.9:8500",
  },
  IM0707: {
    severity: "warning",
    when: ours("IM0707"),
    remedy: "Set INMESH_STATE_DIR to a folder the process may write to. Without it a start needs the registry.",
    message: "IM0707 warning the state cannot be saved: the disk is read-only",
  },
  IM0708: {
    severity: "error",
    when: ours("IM0708", " (a fault of ours: please report it); the last snapshot stays in force"),
    remedy: "Report the policy with the message; `inmesh analyze` may name the document that is behind it.",
    message: "IM0708 error the policy could not be compiled: …",
  },
  IM0709: {
    severity: "warning",
    when: ours("IM0709"),
    remedy: "Changes arrive a little later. On Linux raise fs.inotify.max_user_watches, or use a local disk.",
    message: "IM0709 warning the folder cannot be watched: too many watches",
  },
  IM0713: {
    severity: "warning",
    when: ours("IM0713", ": `inmesh rollback` does not know of it"),
    remedy: "Give the folder `.history` to the user who applies, or remove it: it is made anew.",
    message:
      "IM0713 warning the change of VirtualService/shop/reviews is not in the history: …/.history cannot be written",
  },
  IM0720: {
    severity: "warning",
    when: ours("IM0720", ": Consul shows a token what it may read, and this one may read no service"),
    remedy:
      "Give the token `service_prefix` read, or `service` read for those that are called, and `node_prefix` read. Until then every service is an unknown host.",
    message: "IM0720 warning consul://localhost:8500 names no service to this process, not even its own",
  },
  IM0721: {
    severity: "warning",
    when: ours(
      "IM0721",
      "; below one it is in force for those only who read that service's rules, below none for nobody",
    ),
    remedy: "`inmesh apply` it again, which moves it, or move its key.",
    message:
      "IM0721 warning VirtualService/shop/all stands below reviews.shop, in inmesh/services/shop/reviews/all, and is not for that service alone",
  },
  IM0730: {
    severity: "error",
    when: ours("IM0730", "; the message names it, and what of it"),
    remedy:
      "Correct it in Consul, with `consul config write`. Other entries are in force. `inmesh convert` shows what becomes of a file.",
    message: 'IM0730 error consul:service-resolver/web ConnectTimeout is "soon", expected a duration such as "5s"',
  },
  IM0731: {
    severity: "info",
    when: ours("IM0731"),
    remedy: "Nothing needs to be done. Delete the one that you no longer need.",
    message:
      "IM0731 info consul:service-router/web its routes are left out, because VirtualService/default/web of the mesh is for the same host",
  },
  IM0741: {
    severity: "error",
    when: ours("IM0741"),
    remedy:
      "Correct what the message names in the control plane: it has had the same words as a NACK. `inmesh status` lists what is refused.",
    message:
      "IM0741 error the control plane's Cluster reviews is refused: lb_policy 9 is not known. Its last good version stays.",
  },
  IM0742: {
    severity: "warning",
    when: ours("IM0742"),
    remedy: "Nothing, if you can do without it: docs/reference/xds-profiles.md says what is honoured.",
    message: "IM0742 warning the control plane's Cluster odd: cluster.lb_subset_config is not honoured",
  },
  IM0743: {
    severity: "warning",
    when: ours("IM0743"),
    remedy:
      "Give the process an IP of its own, or change its ServiceEntry: istiod loses sight of whoever shares an address with an entry that was changed later. Use profile api or envoy: docs/reference/xds-profiles.md.",
    message:
      "IM0743 warning the control plane has taken back the listener xds.istio.io/grpc/lds/inbound/10.0.0.1:8080. Its last good version stays in force.",
  },
};
