/** The tests on Node in three parts, of which the first two run beside each other. */
import { binary, type Run } from "./Parts.ts"

const node = { runtime: "Node", command: [binary("node")] }

/** The projects of vitest.config.ts that run on every runtime. */
export const portable = ["fast", "slow"]

/** They start processes and mostly wait for them. */
export const processes: Run = { ...node, what: "processes", projects: ["processes"] }

/** They fill the processor, so they take what the processes leave of it. Two are of the repository. */
export const inside: Run = { ...node, projects: [...portable, "tidy", "mutation"], isBehind: true }

/** They hold real clusters to a time. */
export const timed: Run = { ...node, what: "timed", projects: ["timed"] }
