export { type FlakyOptions, flaky, resetting, silent } from "./faults.js";
export { leakCheck } from "./leaks.js";
export { type TestInstance, type TestMesh, type TestMeshOptions, type TestService, testMesh } from "./test-mesh.js";
