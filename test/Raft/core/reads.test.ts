/** Linearizable reads: diss. 6.4, with fresh read numbers (etcd issue 20418). */
import { assert, describe, it } from "@effect/vitest"
import type { State } from "../../../src/Raft/core/State.ts"
import { step } from "../../../src/Raft/core/step.ts"
import { core, elect, pass, payload, receive, sent, sync } from "./Cores.ts"

const abc = ["a", "b", "c"]

const read = (state: State, ...readIds: ReadonlyArray<number>) => step(state, { _tag: "Read", readIds })

const echo = (state: State, readNumber: number) =>
  receive(state, "b", { _tag: "HeartbeatReply", term: state.currentTerm, readNumber })

/** A leader of three whose no-op, entry 1 of term 1, is committed. */
const leading = (): State => {
  const a = core("a", abc)
  elect(a)
  sync(a)
  const result = { _tag: "Matched" as const, matchIndex: 1 }
  receive(a, "b", { _tag: "AppendEntriesReply", term: 1, prevLogIndex: 0, result })
  return a
}

describe("reads", () => {
  it("a read waits for a round of heartbeats that began after it (diss. 6.4, C5)", () => {
    const a = leading()
    const earlier = a.readNumber
    const output = read(a, 7)
    assert.strictEqual(sent([output]).filter((each) => each._tag === "Heartbeat").length, 2)
    assert.deepStrictEqual(echo(a, earlier).readsReady, [])
    assert.deepStrictEqual(echo(a, a.readNumber).readsReady, [{ readId: 7, readIndex: 1 }])
  })

  it("reads that arrive during a round share the next one (diss. 6.4, C6)", () => {
    const a = leading()
    read(a, 1)
    const first = a.readNumber
    assert.deepStrictEqual([read(a, 2).messages, read(a, 3).messages], [[], []])
    const confirmed = echo(a, first)
    assert.deepStrictEqual(confirmed.readsReady, [{ readId: 1, readIndex: 1 }])
    assert.isAbove(a.readNumber, first)
    assert.deepStrictEqual(echo(a, first).readsReady, [])
    assert.deepStrictEqual(
      echo(a, a.readNumber).readsReady.map(({ readId }) => readId),
      [2, 3]
    )
  })

  it("a lost round is repeated by the next beat, under a number of its own (C5)", () => {
    const a = leading()
    read(a, 1)
    const lost = a.readNumber
    pass(a, 60)
    assert.isAbove(a.readNumber, lost)
    assert.deepStrictEqual(echo(a, a.readNumber).readsReady, [{ readId: 1, readIndex: 1 }])
  })

  it("a new leader answers no read before its no-op commits (diss. 6.4, C4)", () => {
    const a = core("a", abc, { terms: [1, 1] })
    elect(a)
    sync(a)
    assert.deepStrictEqual(read(a, 1).messages, [])
    assert.deepStrictEqual(echo(a, a.readNumber).readsReady, [])
    const result = { _tag: "Matched" as const, matchIndex: 3 }
    receive(a, "b", { _tag: "AppendEntriesReply", term: 2, prevLogIndex: 2, result })
    assert.deepStrictEqual(echo(a, a.readNumber).readsReady, [{ readId: 1, readIndex: 3 }])
  })

  it("an answer decided on uncommitted entries is ready at their index (D2)", () => {
    const a = leading()
    const entries = [{ type: "transaction" as const, payload: payload("x") }]
    step(a, { _tag: "Propose", term: 1, lastIndex: 1, entries })
    step(a, { _tag: "Read", readIds: [1], atLeastIndex: 2 })
    assert.deepStrictEqual(echo(a, a.readNumber).readsReady, [{ readId: 1, readIndex: 2 }])
  })

  it("a single voter confirms its reads at once", () => {
    const a = core("a", ["a"])
    step(a, { _tag: "Tick", nowMs: 0, random: 0 })
    sync(a)
    sync(a)
    assert.deepStrictEqual(read(a, 1).readsReady, [{ readId: 1, readIndex: 1 }])
  })

  it("reads are refused where no leader is known, and when leadership is lost", () => {
    assert.deepStrictEqual(read(core("a", abc), 1).readsRefused, [1])
    const a = leading()
    read(a, 2)
    read(a, 3)
    receive(a, "c", { _tag: "ReadIndex", term: 1, life: 1, requestId: 9 })
    const output = receive(a, "b", { _tag: "HeartbeatReply", term: 2, readNumber: 0 })
    assert.deepStrictEqual(output.readsRefused, [2, 3])
    assert.deepStrictEqual(sent([output]), [
      { _tag: "ReadIndexReply", term: 1, life: 1, requestId: 9, readIndex: undefined }
    ])
  })

  it("a follower asks its leader for a read index, once for all that wait (diss. 6.4, C6)", () => {
    const b = core("b", abc, { currentTerm: 1 })
    pass(b, 0)
    receive(b, "a", {
      _tag: "Heartbeat",
      term: 1,
      leaderCommit: 0,
      matchIndex: 0,
      lastContactMs: undefined,
      readNumber: 1
    })
    const asked = sent([read(b, 1)])[0]
    const { life } = b.followerReads
    const requestId = asked?._tag === "ReadIndex" ? asked.requestId : 0
    assert.deepStrictEqual(asked, { _tag: "ReadIndex", term: 1, life, requestId })
    assert.deepStrictEqual([read(b, 2).messages, read(b, 3).messages], [[], []])
    const output = receive(b, "a", { _tag: "ReadIndexReply", term: 1, life, requestId, readIndex: 4 })
    assert.deepStrictEqual(output.readsReady, [{ readId: 1, readIndex: 4 }])
    const next = requestId + 1
    assert.deepStrictEqual(sent([output]), [{ _tag: "ReadIndex", term: 1, life, requestId: next }])
    // A repeated answer to the first request confirms nothing of the second.
    assert.deepStrictEqual(
      receive(b, "a", { _tag: "ReadIndexReply", term: 1, life, requestId, readIndex: 4 }).readsReady,
      []
    )
    const refused = receive(b, "a", { _tag: "ReadIndexReply", term: 1, life, requestId: next, readIndex: undefined })
    assert.deepStrictEqual(refused.readsRefused, [2, 3])
  })

  it("an answer to a former life of a follower confirms nothing of this one, whatever random numbers both drew (C23)", () => {
    const beat = { _tag: "Heartbeat", term: 1, leaderCommit: 0, matchIndex: 0, lastContactMs: undefined } as const
    const begin = (life: number) => {
      const b = core("b", abc, { currentTerm: 1, life })
      pass(b, 0)
      receive(b, "a", { ...beat, readNumber: 1 })
      const [asked] = sent([read(b, 1)])
      assert.isTrue(asked?._tag === "ReadIndex")
      return { b, requestId: asked?._tag === "ReadIndex" ? asked.requestId : 0 }
    }
    const former = begin(1)
    const latter = begin(2)
    assert.strictEqual(latter.requestId, former.requestId)
    const reply = { _tag: "ReadIndexReply", term: 1, requestId: latter.requestId, readIndex: 4 } as const
    assert.deepStrictEqual(receive(latter.b, "a", { ...reply, life: 1 }).readsReady, [])
    assert.deepStrictEqual(receive(latter.b, "a", { ...reply, life: 2 }).readsReady, [{ readId: 1, readIndex: 4 }])
  })

  it("a leader answers two lives of a follower each under its own number (C23)", () => {
    const a = leading()
    for (const life of [1, 2]) receive(a, "c", { _tag: "ReadIndex", term: 1, life, requestId: 1 })
    const replies = [echo(a, a.readNumber), echo(a, a.readNumber)]
    assert.deepStrictEqual(
      sent(replies).flatMap((message) => (message._tag === "ReadIndexReply" ? [message.life] : [])),
      [1, 2]
    )
  })

  it("a leader answers a follower's request after a round (diss. 6.4)", () => {
    const a = leading()
    receive(a, "c", { _tag: "ReadIndex", term: 1, life: 1, requestId: 9 })
    assert.deepStrictEqual(sent([echo(a, a.readNumber)]), [
      { _tag: "ReadIndexReply", term: 1, life: 1, requestId: 9, readIndex: 1 }
    ])
  })

  it("a follower whose request is not answered asks again after an election timeout, and not before (diss. 6.4)", () => {
    const b = core("b", abc, { currentTerm: 1 })
    pass(b, 10)
    const beat = { _tag: "Heartbeat" as const, term: 1, leaderCommit: 0, matchIndex: 0, lastContactMs: undefined }
    receive(b, "a", { ...beat, readNumber: 1 })
    const [asked] = sent([read(b, 1)])
    assert.strictEqual(asked?._tag, "ReadIndex")
    const repeatedAtMs: Array<number> = []
    for (let elapsedMs = 10; elapsedMs <= 700; elapsedMs += 10) {
      receive(b, "a", { ...beat, readNumber: 1 })
      const said = sent([step(b, { _tag: "Tick", nowMs: 10 + elapsedMs, random: 0 })])
      if (said.length === 0) continue
      assert.deepStrictEqual(said[0], asked)
      repeatedAtMs.push(elapsedMs)
    }
    assert.deepStrictEqual(repeatedAtMs, [300, 600])
  })

  it("a follower that campaigns refuses the reads that wait for its leader, once each", () => {
    const b = core("b", abc, { currentTerm: 1 })
    pass(b, 10)
    const beat = { _tag: "Heartbeat" as const, term: 1, leaderCommit: 0, matchIndex: 0, lastContactMs: undefined }
    receive(b, "a", { ...beat, readNumber: 1 })
    read(b, 1)
    read(b, 2)
    const refused = pass(b, 400).flatMap(({ readsRefused }) => readsRefused)
    assert.strictEqual(b.role._tag, "PreCandidate")
    assert.deepStrictEqual(refused, [1, 2])
    const again = receive(b, "a", { ...beat, readNumber: 2 })
    assert.deepStrictEqual(again.readsRefused, [])
  })

  it("reads past the bound on those that wait are refused at once", () => {
    const a = core("a", abc, { config: { readsWaitingCount: 2 } })
    elect(a)
    assert.deepStrictEqual(read(a, 1, 2).readsRefused, [])
    assert.deepStrictEqual(read(a, 3).readsRefused, [3])
  })

  it("a request that is repeated shares the round of the first, and is answered once (C6)", () => {
    const a = leading()
    for (let times = 0; times < 3; times++) receive(a, "c", { _tag: "ReadIndex", term: 1, life: 1, requestId: 9 })
    assert.strictEqual(sent([echo(a, a.readNumber), echo(a, a.readNumber)]).length, 1)
  })
})
