/** Nodes must agree on each index: this asks them while a test harms them. */
import { Effect } from "effect"
import { clusterOf, type TestNode } from "./Processes.ts"

export interface Agreement {
  /** Asks all nodes again and again until it is over; one that gives no answer is asked later. */
  readonly watch: (nodes: ReadonlyArray<TestNode>, isOver: () => boolean) => Effect.Effect<void>
  /** How often two nodes spoke of the same thing at the same index. */
  readonly comparedCount: () => number
  /** Where they said different things. */
  readonly disagreements: ReadonlyArray<string>
}

/** Of the state of the machine, and of these projections. */
export const makeAgreement = (projections: ReadonlyArray<string>): Agreement => {
  /** By subject and index: the first node that answered, and its answer. */
  const said = new Map<string, { readonly by: string; readonly what: string }>()
  const disagreements: Array<string> = []
  let comparedCount = 0

  const note = (by: string, about: string, what: string): void => {
    const before = said.get(about)
    if (before === undefined) return void said.set(about, { by, what })
    if (before.by !== by) comparedCount += 1
    if (before.what !== what) disagreements.push(`${about}: ${before.by} said ${before.what}, ${by} said ${what}`)
  }

  const ask = (node: TestNode) =>
    Effect.gen(function* () {
      const { appliedIndex, stateHash } = yield* clusterOf(node)
      note(node.id, `state at ${appliedIndex}`, stateHash)
      for (const name of projections) {
        const path = `/api/_projections/${name}?consistency=local`
        const { body, headers, status } = yield* node.request("GET", path, { timeoutMs: 1000 })
        if (status === 200) note(node.id, `${name} at ${headers.get("lithair-index")}`, JSON.stringify(body))
      }
    })

  return {
    disagreements,
    comparedCount: () => comparedCount,
    watch: (nodes, isOver) =>
      Effect.gen(function* () {
        while (!isOver()) {
          yield* Effect.forEach(nodes, (node) => Effect.ignore(ask(node)), { concurrency: "unbounded" })
          yield* Effect.sleep("100 millis")
        }
      })
  }
}
