import { balancerContract } from "./balancer.contract.js";
import { RandomBalancer } from "./random.js";

balancerContract("RandomBalancer", (ports) => new RandomBalancer(ports));
