/** The tests on Node in parts. */
import { binary, type Run } from "./Parts.ts"

const node = { runtime: "Node", command: [binary("node")] }

/** The projects of vitest.config.ts that run on every runtime. */
export const portable = ["fast", "slow"]

/** They start processes and mostly wait for them. */
export const processes: Run = { ...node, what: "processes", projects: ["processes"] }

/** They fill the processor. Tidy and mutation tests are of the repository, and not of a runtime. */
export const inside: Run = { ...node, projects: [...portable, "tidy", "mutation"] }

/** They hold real clusters to a time. */
export const timed: Run = { ...node, what: "timed", projects: ["timed"] }

/** They keep all cores busy themselves. */
export const alone: Run = { ...node, what: "alone", projects: ["alone"] }
