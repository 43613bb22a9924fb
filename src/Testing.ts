/** Tools for tests: a cluster inside a test, the deterministic simulator, and a checker of clients' histories. */
export * as History from "./Testing/History.ts"
export { check, type Verdict } from "./Testing/Linearizability.ts"
export * as Register from "./Testing/Register.ts"
export type { Model as SequentialModel } from "./Testing/SequentialModel.ts"
export { type Act, script } from "./Testing/simulator/Act.ts"
export { type Options, type Result, replay, run, shrink } from "./Testing/simulator/Simulator.ts"
export {
  NotSettled,
  type Release,
  TestCluster,
  type TestClusterOptions,
  type TestRoutes
} from "./Testing/TestCluster.ts"
export { NodeDown, type TestNodeServices } from "./Testing/TestClusterNode.ts"
export type { Weather } from "./Testing/TestClusterWeather.ts"
export * as VersionedRegister from "./Testing/VersionedRegister.ts"
