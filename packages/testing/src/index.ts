export { type FlakyOptions, flaky, resetting, silent } from "./faults.js";
export { leakCheck } from "./leaks.js";
export type { FaultKind } from "./simulation/fault.js";
export { type SimulationOptions, type SimulationReport, simulate } from "./simulation/simulate.js";
export type { Violation } from "./simulation/world.js";
export { type TestInstance, type TestMesh, type TestMeshOptions, type TestService, testMesh } from "./test-mesh.js";
