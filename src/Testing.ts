/** Prove what stands on a cluster: the deterministic simulator, driven by a seed, and the judge of clients' histories. */
export * as History from "./Testing/History.ts"
export { check, type Verdict } from "./Testing/Linearizability.ts"
export * as Register from "./Testing/Register.ts"
export type { Model as SequentialModel } from "./Testing/SequentialModel.ts"
export { type Options, type Result, replay, run, shrink } from "./Testing/Simulator.ts"
export { type Act, script } from "./Testing/SimulatorAct.ts"
export * as VersionedRegister from "./Testing/VersionedRegister.ts"
