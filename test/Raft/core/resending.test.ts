/**
 * What a leader does from time to time it does however busy it is: each kind of it has a deadline of its own, which reads
 * and writes do not move. Raft §5.3; etcd probes again when a heartbeat is answered.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Message } from "../../../src/Raft/core/Message.ts"
import type { Output } from "../../../src/Raft/core/Output.ts"
import * as Pacing from "../../../src/Raft/core/Pacing.ts"
import type { Progress } from "../../../src/Raft/core/Progress.ts"
import type { State } from "../../../src/Raft/core/State.ts"
import { step } from "../../../src/Raft/core/step.ts"
import {
  after,
  changeMembership,
  cluster,
  core,
  elect,
  live,
  member,
  newcomer,
  payload,
  receive,
  sent,
  settle
} from "./Cores.ts"

const abc = ["a", "b", "c"]
const beatMs = 50

const progressOf = (leader: State, peer: string): Progress => {
  assert.isTrue(leader.role._tag === "Leader")
  return (leader.role._tag === "Leader" ? leader.role.progress.get(peer) : undefined)!
}

const proposal = (leader: State) => ({
  to: leader.nodeId,
  input: {
    _tag: "Propose" as const,
    term: leader.currentTerm,
    lastIndex: leader.log.lastIndex,
    entries: [{ type: "transaction" as const, payload: payload("x") }]
  }
})

/** One write that only the first of `states` and those beside it hear of. */
const write = (states: ReadonlyArray<State>): void => void settle(states, [proposal(states[0]!)])

let readId = 1

/** Lets `ms` pass in ticks of 10 ms, over a perfect network, while clients ask `leader` for something in every tick. */
const busy = (
  states: ReadonlyArray<State>,
  leader: State,
  { ms, profile }: { readonly ms: number; readonly profile: Profile }
): ReadonlyArray<Output> => {
  const outputs: Array<Output> = []
  for (let left = ms; left > 0; left -= 10) {
    const nowMs = leader.lastTickMs! + 10
    const ticks = states.map(({ nodeId }, at) => ({
      to: nodeId,
      input: { _tag: "Tick" as const, nowMs, random: at / 3 }
    }))
    outputs.push(...settle(states, ticks).map(({ output }) => output))
    if (profile !== "write-only") {
      const read = { to: leader.nodeId, input: { _tag: "Read" as const, readIds: [readId++] } }
      outputs.push(...settle(states, [read]).map(({ output }) => output))
    }
    if (profile !== "read-only") write(states.includes(leader) ? [leader, ...states] : states)
  }
  return outputs
}

type Profile = "read-only" | "mixed" | "write-only"
const profiles: ReadonlyArray<Profile> = ["read-only", "mixed", "write-only"]

describe("what a busy leader sends again", () => {
  for (const profile of profiles) {
    it(`a follower that lost one message has it two beats later (${profile})`, () => {
      const states = cluster(abc)
      const [a, b, c] = states as [State, State, State]
      write([a, b])
      assert.isBelow(c.log.lastIndex, a.log.lastIndex)
      step(a, { _tag: "PeerUnreachable", peer: "c" })
      // The first probe is lost, too.
      live([a, b], beatMs)
      const wanted = a.log.lastIndex
      busy(states, a, { ms: 2 * beatMs, profile })
      assert.isAtLeast(c.log.lastIndex, wanted)
      assert.isAtLeast(progressOf(a, "c").matchIndex, wanted)
    })

    it(`what was in flight and lost is sent again an election timeout later (${profile})`, () => {
      const states = cluster(abc)
      const [a, b, c] = states as [State, State, State]
      write([a, b])
      const wanted = a.log.lastIndex
      busy(states, a, { ms: a.config.electionTimeoutMinMs + 2 * beatMs, profile })
      assert.isAtLeast(c.log.lastIndex, wanted)
    })

    it(`a learner is caught up and promoted (diss. 4.2.1; ${profile})`, () => {
      const states = cluster(abc)
      const [a] = states
      const d = newcomer("d")
      const output = changeMembership(a, { _tag: "AddLearner", member: member("d"), autoPromote: true })
      // It is not connected yet: what it is sent first is lost.
      settle(states, after("a", output))
      busy([...states, d], a, { ms: 2 * a.config.electionTimeoutMinMs, profile })
      assert.deepStrictEqual(
        a.configuration.voters.map(({ id }) => id),
        ["a", "b", "c", "d"]
      )
    })

    it(`a read of the log that failed is tried again a beat later, and not sooner (${profile})`, () => {
      const states = cluster(abc, { cacheBytes: 0 })
      const [a, b, c] = states as [State, State, State]
      for (let count = 0; count < 20; count++) write([a, b])
      step(a, { _tag: "PeerUnreachable", peer: "c" })
      const isAsked = (outputs: ReadonlyArray<Output>) => outputs.some(({ readLog }) => readLog.length > 0)
      assert.isTrue(isAsked(busy(states, a, { ms: 2 * beatMs, profile })), "the log is read for c")
      step(a, { _tag: "LogRead", peer: "c", entries: [] })
      assert.isFalse(isAsked(busy(states, a, { ms: beatMs - 10, profile })))
      assert.isTrue(isAsked(busy(states, a, { ms: 20, profile })), "the log is read for c again")
      assert.isBelow(c.log.lastIndex, a.log.lastIndex)
    })

    it(`a snapshot that could not be sent is asked for again (§7; ${profile})`, () => {
      const states = cluster(abc, { logRetainedCount: 0 })
      const [a, b, c] = states as [State, State, State]
      for (let count = 0; count < 5; count++) write([a, b])
      // The follower has been silent for so long that history is let go of.
      live([a, b], a.config.electionTimeoutMinMs)
      settle([a, b], [{ to: "a", input: { _tag: "LocalSnapshot", index: a.lastApplied } }])
      const isNeeded = (outputs: ReadonlyArray<Output>) => outputs.some(({ needsSnapshot }) => needsSnapshot.length > 0)
      assert.isTrue(isNeeded(busy(states, a, { ms: 2 * beatMs, profile })), "c needs a snapshot")
      step(a, { _tag: "SnapshotSent", peer: "c", ok: false })
      assert.isTrue(isNeeded(busy(states, a, { ms: 2 * beatMs, profile })), "c needs a snapshot again")
      assert.isBelow(c.log.lastIndex, a.log.lastIndex)
    })

    it(`what history was kept for a silent peer goes once it is silent for an election timeout (§7; ${profile})`, () => {
      const states = cluster(abc, { logRetainedCount: 0 })
      const [a, b] = states as [State, State, State]
      for (let count = 0; count < 5; count++) write([a, b])
      settle([a, b], [{ to: "a", input: { _tag: "LocalSnapshot", index: a.lastApplied } }])
      assert.strictEqual(a.log.firstIndex, 2, "c may still need it")
      busy([a, b], a, { ms: a.config.electionTimeoutMinMs + 20, profile })
      assert.isAbove(a.log.firstIndex, 2)
    })

    it(`a peer that is far behind gets its share when its time has come (${profile})`, () => {
      const states = cluster(abc)
      const [a, b, c] = states as [State, State, State]
      for (let count = 0; count <= Pacing.farBehindCount; count++) write([a, b])
      const progress = progressOf(a, "c")
      step(a, { _tag: "PeerReachable", peer: "c" })
      const { nextIndex } = progress
      progress.pacedUntilMs = a.nowMs + 100
      progress.mode = { _tag: "Replicate" }
      busy([a, b], a, { ms: 90, profile })
      assert.strictEqual(progress.nextIndex, nextIndex)
      busy([a, b], a, { ms: 10, profile })
      assert.isAbove(progress.nextIndex, nextIndex)
      assert.isBelow(c.log.lastIndex, a.log.lastIndex)
    })
  }

  it("beats go on at their own pace under reads, which beat besides", () => {
    const states = cluster(abc)
    const [a] = states
    const outputs = busy(states, a, { ms: 1_000, profile: "read-only" })
    const numbers = new Set(sent(outputs).flatMap((each) => (each._tag === "Heartbeat" ? [each.readNumber] : [])))
    assert.strictEqual(numbers.size, 100 + 1_000 / beatMs)
  })
})

/** A leader whose probe of `c` has just left, and is lost. */
const probing = () => {
  const states = cluster(abc)
  const [a, b, c] = states as [State, State, State]
  write([a, b])
  const probe = step(a, { _tag: "PeerReachable", peer: "c" })
  const echo = (readNumber = a.readNumber): Message => ({ _tag: "HeartbeatReply", term: a.currentTerm, readNumber })
  return { a, c, probe, echo, states }
}

const appends = ({ messages }: Output) => messages.filter(({ message }) => message._tag === "AppendEntries")

/** A tick in which no beat and no repetition is due. */
const tick = (a: State) => step(a, { _tag: "Tick", nowMs: a.lastTickMs! + 10, random: 0 })

describe("what a leader learns of lost messages", () => {
  it("a peer that is reachable again is probed at once", () => {
    const { probe } = probing()
    assert.deepStrictEqual(
      appends(probe).map(({ to }) => to),
      ["c"]
    )
  })

  it("a peer that a new leader knows nothing of is looked for from the end of the log, however late it can be reached", () => {
    const a = core("a", abc, { terms: [1, 1, 1, 1] })
    elect(a)
    for (const input of ["PeerUnreachable", "PeerReachable", "PeerUnreachable", "PeerReachable"] as const) {
      step(a, { _tag: input, peer: "c" })
    }
    const [probe] = appends(step(a, { _tag: "PeerReachable", peer: "c" }))
    assert.deepInclude(probe?.message, { prevLogIndex: 4, entries: [] })
  })

  it("a later beat that comes back without the probe's answer repeats the probe, once in a tick", () => {
    const { a, echo } = probing()
    const before = a.readNumber
    tick(a)
    assert.deepStrictEqual(appends(receive(a, "c", echo(before))), [], "that beat left before the probe")
    step(a, { _tag: "Read", readIds: [readId++] })
    assert.isAbove(a.readNumber, before)
    assert.strictEqual(appends(receive(a, "c", echo())).length, 1)
    step(a, { _tag: "Read", readIds: [readId++] })
    assert.deepStrictEqual(appends(receive(a, "c", echo())), [], "it has just been repeated")
  })

  it("what could not be sent is not tried again before a beat has passed", () => {
    const { a } = probing()
    step(a, { _tag: "PeerUnreachable", peer: "c" })
    for (let ms = 10; ms < beatMs; ms += 10) assert.deepStrictEqual(appends(tick(a)), [])
    assert.strictEqual(appends(tick(a)).length, 1)
  })

  it("a follower slower than the quorum hears of the commit as soon as it acknowledges, not with the next beat", () => {
    const states = cluster(abc)
    const [a, b, c] = states as [State, State, State]
    const { messages, write } = step(a, proposal(a).input)
    const toC = messages.find(({ to }) => to === "c")!
    const toB = messages.filter(({ to }) => to === "b")
    settle([a, b], after("a", { ...step(a, { _tag: "Persisted", seq: write!.seq }), messages: toB }))
    assert.strictEqual(a.commitIndex, a.log.lastIndex)
    assert.isBelow(c.commitIndex, a.commitIndex)
    settle(states, [{ to: "c", input: { _tag: "Receive", from: "a", message: toC.message } }])
    assert.strictEqual(c.lastApplied, a.commitIndex)
  })
})
