/** When a node says that it is ready, by what its core knows. */
import { assert, describe, it } from "@effect/vitest"
import type { Member } from "../../src/Cluster/Member.ts"
import { type Check, readyChecks } from "../../src/Http/NodeRoutes.ts"
import type { State } from "../../src/Raft/core/State.ts"
import { step } from "../../src/Raft/core/step.ts"
import { cluster } from "../Raft/core/Cores.ts"
import { isBulk, world } from "../Raft/core/LossyCores.ts"

const usual = { isDraining: () => false, isRemoved: () => false, staleMs: (): number | undefined => 0 }

/** What a member over this core answers; of the member nothing else is asked. */
const notReady = (core: State, standing: Partial<typeof usual> = {}): ReadonlyArray<Check> => {
  const leader = core.role._tag === "Follower" ? core.role.leader : core.nodeId
  const node = { core, appliedIndex: () => core.lastApplied, states: { isSuspect: () => core.isSuspect } }
  const member = { ...usual, ...standing, node: () => node, leader: () => leader }
  return readyChecks(member as unknown as Member["Service"]).filter(({ ok }) => !ok)
}

const namesOf = (checks: ReadonlyArray<Check>) => checks.map(({ name }) => name)

describe("readiness", () => {
  it("a member that was removed, or that no quorum has confirmed since it started, is not ready", () => {
    const [a] = cluster(["a", "b", "c"])
    assert.deepStrictEqual(namesOf(notReady(a)), [])
    assert.deepStrictEqual(namesOf(notReady(a, { isRemoved: () => true })), ["member"])
    assert.deepStrictEqual(namesOf(notReady(a, { staleMs: () => undefined })), ["started"])
  })

  it("a member whose state differs from that of a majority is not ready", () => {
    const [a, b] = cluster(["a", "b", "c"])
    step(b!, { _tag: "StateSuspected", isSuspect: true })
    assert.deepStrictEqual([namesOf(notReady(a)), namesOf(notReady(b!))], [[], ["state"]])
  })

  it("a follower that lacks what its leader has committed, and gets none of it for a second, is not ready", () => {
    const states = cluster(["a", "b", "c"])
    const [a, b, c] = states as [State, State, State]
    const { lose, pass, propose } = world(states)
    pass(5_000)
    assert.deepStrictEqual(
      states.flatMap((state) => notReady(state)),
      [],
      "an idle cluster is ready"
    )
    lose((envelope) => isBulk(envelope) && envelope.to === "c")
    propose()
    pass(900)
    assert.deepStrictEqual(
      states.flatMap((state) => notReady(state)),
      []
    )
    pass(300)
    assert.deepStrictEqual([notReady(a), notReady(b)], [[], []])
    const [check] = notReady(c)
    assert.strictEqual(check?.name, "caught-up")
    assert.match(check?.reason ?? "", /^The node lacks committed entries, and got none for \d+ ms$/)
    lose(() => false)
    pass(100)
    assert.deepStrictEqual(
      states.flatMap((state) => notReady(state)),
      []
    )
  })
})
