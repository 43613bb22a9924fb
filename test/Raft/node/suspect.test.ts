/** A node whose state differs from that of a majority: its log is right, and its machine is not. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { evolveEvent } from "../../../src/Machine/evolve.ts"
import * as Tables from "../../../src/Machine/Tables.ts"
import { step } from "../../../src/Raft/core/step.ts"
import { makeMemoryNetwork } from "../../../src/Raft/peers/MemoryNetwork.ts"
import { cluster, core, elect, entry, live, pass, receive, sent, sync } from "../core/Cores.ts"
import { directory, ids, littleHistory, type Running, startMember, until } from "../core/Members.ts"

const abc = ["a", "b", "c"]
const suspected = { _tag: "StateSuspected", isSuspect: true } as const

describe("a core whose state is suspect", () => {
  it("hands leadership over and steps down, and its reads are refused", () => {
    const [a] = cluster(abc)
    step(a, { _tag: "Read", readIds: [1] })
    const output = step(a, suspected)
    assert.strictEqual(a.role._tag, "Follower")
    assert.deepStrictEqual(sent([output]), [{ _tag: "TimeoutNow", term: 1 }])
    assert.deepStrictEqual(output.readsRefused, [1])
  })

  it("does not campaign, neither by itself nor when it is told to", () => {
    const c = core("c", abc, { terms: [1] })
    step(c, suspected)
    assert.deepStrictEqual(sent(pass(c, 5_000)), [])
    receive(c, "a", { _tag: "TimeoutNow", term: 1 })
    assert.strictEqual(c.role._tag, "Follower")
    step(c, { _tag: "StateSuspected", isSuspect: false })
    pass(c, 1_000)
    assert.strictEqual(c.role._tag, "PreCandidate")
  })

  it("stops its campaign", () => {
    const c = core("c", abc, { terms: [1] })
    pass(c, 400)
    assert.strictEqual(c.role._tag, "PreCandidate")
    step(c, suspected)
    assert.strictEqual(c.role._tag, "Follower")
  })

  it("goes on to vote and to acknowledge entries", () => {
    const [a, b, c] = cluster(abc)
    step(c!, suspected)
    const vote = { term: 9, preVote: false, lastLogIndex: 9, lastLogTerm: 9, transfer: true }
    receive(c!, "b", { _tag: "RequestVote", ...vote })
    const granted = { _tag: "RequestVoteReply", term: 9, preVote: false, granted: true } as const
    assert.deepInclude(sent([sync(c!)]), granted)
    const at = { term: 9, prevLogIndex: 1, prevLogTerm: 1, leaderCommit: 1 }
    receive(c!, "b", { _tag: "AppendEntries", ...at, entries: [entry(2, 9)] })
    const result = { _tag: "Matched", matchIndex: 2 } as const
    assert.deepInclude(sent([sync(c!)]), { _tag: "AppendEntriesReply", term: 9, prevLogIndex: 1, result })
    assert.isDefined(a ?? b)
  })

  it("refuses reads while it follows, those that wait for its leader too", () => {
    const [, b] = cluster(abc)
    step(b!, { _tag: "Read", readIds: [1] })
    assert.deepStrictEqual(step(b!, suspected).readsRefused, [1])
    assert.deepStrictEqual(step(b!, { _tag: "Read", readIds: [2] }).readsRefused, [2])
    step(b!, { _tag: "StateSuspected", isSuspect: false })
    assert.deepStrictEqual(step(b!, { _tag: "Read", readIds: [3] }).readsRefused, [])
  })

  it("lets the others elect one of them, and is voted for by nobody's doing of its own", () => {
    const states = cluster(abc)
    step(states[0], suspected)
    live(states, 2_000)
    assert.strictEqual(states.filter(({ role }) => role._tag === "Leader").length, 1)
    assert.strictEqual(states[0].role._tag, "Follower")
    assert.throws(() => {
      elect(states[0])
      assert.strictEqual(states[0].role._tag, "Leader")
    })
  })
})

describe("a member whose state is suspect", () => {
  const write = (member: Running, prefix: string, count: number) =>
    Effect.forEach(
      Array.from({ length: count }, (_, number) => `${prefix}${number}@x`),
      (email) => member.submit({ _tag: "Create", model: "User", data: { email } }),
      { concurrency: 16, discard: true }
    )

  it.live(
    "makes its state anew from a snapshot, where its log does not reach back, under writes (§7)",
    () =>
      Effect.gen(function* () {
        const root = yield* directory
        const network = makeMemoryNetwork()
        const members = yield* Effect.forEach(ids, (id) => startMember(network, root, id, { config: littleHistory }))
        yield* until("all know a leader", () => members.every((member) => member.leader() !== undefined))
        yield* write(members[0]!, "before", 300)
        const [wrong, other] = [members[2]!, members[1]!]
        yield* until("its log does not reach back", () => (wrong.node()?.core.log.firstIndex ?? 0) > 100)
        const { tables } = wrong
        const [id, row] = tables.byModel.get("User")!.rows.entries().next().value!
        const { index, modelVersion, version } = row
        const data = { ...row.data, email: "wrong" }
        const event = { model: "User", id, modelVersion, version, previousIndex: index, data }
        evolveEvent(tables, index, { type: "updated", ...event })
        const writing = yield* Effect.forkChild(write(members[0]!, "meanwhile", 200))
        yield* until("it is suspect", () => wrong.node()?.states.isSuspect() === true)
        yield* until("it is believed", () => wrong.node()?.states.isSuspect() === false)
        yield* Fiber.join(writing)
        yield* until("all hold the same", () => {
          const states = members.map((each) => `${each.node()?.appliedIndex()} ${Tables.stateHash(each.tables)}`)
          return new Set(states).size === 1
        })
        assert.deepStrictEqual(Tables.get(wrong.tables, "User", id), Tables.get(other.tables, "User", id))
        assert.strictEqual(Tables.get(wrong.tables, "User", id)?.data.email, row.data.email)
      }).pipe(Effect.scoped),
    60_000
  )
})
