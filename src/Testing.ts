/** Prove what stands on a cluster: the deterministic simulator, driven by a seed. */
export { type Options, type Result, run } from "./Testing/Simulator.ts"
