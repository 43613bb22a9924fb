/** Three members from empty directories: real files, a network in memory, real time with bounded waits. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Random, Schedule, Scope } from "effect"
import type * as Member from "../../src/Cluster/Member.ts"
import type { Command } from "../../src/Machine/Command.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { makeMemoryNetwork } from "../../src/Raft/peers/MemoryNetwork.ts"
import type { Transport } from "../../src/Raft/peers/Transport.ts"
import { directory, ids, startMember, until } from "../Raft/core/Members.ts"

const create = (name: string): Command => ({ _tag: "Create", model: "User", data: { email: `${name}@x` } })

/** Waits until each has heard a leader, however busy the machine is. */
const ready = (members: ReadonlyArray<Member.Member["Service"]>) =>
  Effect.forEach(members, ({ readIndex }) =>
    Effect.retry(readIndex, { schedule: Schedule.spaced("10 millis"), times: 20 })
  )

describe("Member", () => {
  it.live("three empty nodes form one cluster, and a write to any of them is agreed by all (C16)", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const network = makeMemoryNetwork()
      const members = yield* Effect.forEach(ids, (id) => startMember(network, root, id))
      yield* until("all are formed", () => members.every((member) => member.clusterId() !== undefined))
      assert.strictEqual(new Set(members.map((member) => member.clusterId())).size, 1)
      const done = yield* Effect.forEach(members, (member, at) => member.submit(create(`u${at}`)))
      for (const member of members) {
        assert.isAtLeast(yield* member.readIndex, Math.max(...done.map(({ index }) => index)))
        assert.strictEqual(member.tables.byModel.get("User")!.rows.size, 3)
      }
      yield* until("hashes are equal", () => new Set(members.map(({ tables }) => Tables.stateHash(tables))).size === 1)
      const taken = yield* Effect.forEach(members, (member) => member.submit(create("u0")))
      assert.deepStrictEqual(
        taken.map(({ result }) => result._tag),
        ["Rejected", "Rejected", "Rejected"]
      )
    }).pipe(Effect.scoped)
  )

  it.live("a member alone refuses: it is in a minority (C18)", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const member = yield* startMember(makeMemoryNetwork(), root, "a")
      assert.strictEqual((yield* Effect.flip(member.submit(create("x"))))._tag, "NotDone")
      assert.strictEqual((yield* Effect.flip(member.readIndex))._tag, "NotDone")
    }).pipe(Effect.scoped)
  )

  it.live(
    "a leader that hangs costs a keyed write no more than the election, and one without a key is then unknown",
    () =>
      Effect.gen(function* () {
        const root = yield* directory
        const network = makeMemoryNetwork()
        let hung: string | undefined
        const links =
          (id: string) =>
          (whole: Transport["Service"]): Transport["Service"] => ({
            ...whole,
            send: (to, lane, message) => id === hung || whole.send(to, lane, message)
          })
        const members = yield* Effect.forEach(ids, (id) => startMember(network, root, id, { links: links(id) }))
        yield* ready(members)
        const follower = members.find((member) => member.leader() !== member.self.nodeId)!
        hung = follower.leader()
        const began = performance.now()
        const keyed = follower.submit({ ...create("keyed"), key: "k", fingerprint: "f" })
        const [unknown, done] = yield* Effect.all([Effect.flip(follower.submit(create("unkeyed"))), keyed], {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual([unknown._tag, done.result._tag], ["UnknownOutcome", "Accepted"])
        assert.isBelow(performance.now() - began, 2_200, "they do not wait for the leader that hangs")
      }).pipe(Effect.scoped)
  )

  it.live("a request that may have reached one leader stays unknown, whatever the next one cannot decide (C18)", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const network = makeMemoryNetwork()
      /** Whom the first request was sent to. */
      let slow: string | undefined
      const links = (whole: Transport["Service"]): Transport["Service"] => ({
        ...whole,
        // It is on its way, and arrives when nobody waits for it any more.
        send: (to, lane, message) => {
          if (message._tag !== "Forward" || slow !== undefined) return whole.send(to, lane, message)
          slow = to
          return true
        }
      })
      const members = yield* Effect.forEach(ids, (id) => startMember(network, root, id, { links }))
      yield* ready(members)
      const asked = members.find((member) => member.leader() !== member.self.nodeId)!
      const command: Command = { _tag: "Call", name: "newer", payload: null, key: "k", fingerprint: "f" }
      const submitted = yield* Effect.forkChild(Effect.flip(asked.submit(command)))
      yield* until("the request is on its way", () => slow !== undefined)
      const former = members.find(({ self }) => self.nodeId === slow)!
      const next = members.find((member) => member !== asked && member !== former)!
      yield* former.node()!.transferLeadership(next.self.nodeId)
      const failure = yield* Fiber.join(submitted)
      assert.deepStrictEqual([failure._tag, failure._tag === "UnknownOutcome" && failure.key], ["UnknownOutcome", "k"])
      // Asked for the first time it is refused for certain, once whoever leads has time for it.
      const again = { schedule: Schedule.spaced("10 millis"), times: 100 }
      const first = yield* Effect.retry(asked.submit({ ...command, key: "another" }), again)
      const rejection = { _tag: "UnknownCommand", command: "newer" } as const
      assert.deepStrictEqual(first.result, { _tag: "Rejected", rejection })
    }).pipe(Effect.scoped)
  )

  it.live("a formed cluster, stopped and started, is the same cluster with the same records", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const run = <A, E>(use: (members: ReadonlyArray<Member.Member["Service"]>) => Effect.Effect<A, E>) =>
        Effect.gen(function* () {
          const network = makeMemoryNetwork()
          const members = yield* Effect.forEach(ids, (id) => startMember(network, root, id))
          yield* until("all know a leader", () => members.every((member) => member.leader() !== undefined))
          return yield* use(members)
        }).pipe(Effect.scoped)
      const before = yield* run((members) =>
        Effect.as(
          Effect.forEach(members, (member, at) => member.submit(create(`u${at}`))),
          members[0]!.clusterId()
        )
      )
      yield* run((members) =>
        Effect.gen(function* () {
          yield* ready(members)
          for (const member of members) {
            assert.strictEqual(member.clusterId(), before ?? member.clusterId())
            assert.strictEqual(member.tables.byModel.get("User")!.rows.size, 3)
          }
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live(
    "a node that starts again names no request as in its former life, with random numbers that are all alike (C23)",
    () =>
      Effect.gen(function* () {
        const root = yield* directory
        const network = makeMemoryNetwork()
        const asked: Array<string> = []
        const links = (whole: Transport["Service"]): Transport["Service"] => ({
          ...whole,
          send: (to, lane, message) => {
            if (message._tag === "ReadIndex") asked.push(`ReadIndex ${message.life} ${message.requestId}`)
            if (message._tag === "Forward") asked.push(`Forward ${message.life} ${message.requestIds[0]}`)
            return whole.send(to, lane, message)
          }
        })
        const others = ids.filter((id) => id !== "c")
        yield* Effect.forEach(others, (id) => startMember(network, root, id))
        const alike = { nextDoubleUnsafe: () => 0.5, nextIntUnsafe: () => 1 }
        /** What `c` asks its leader in one life. */
        const live = Effect.gen(function* () {
          const member = yield* startMember(network, root, "c", { links })
          yield* until("a node leads", () => member.leader() !== undefined)
          // It may have won the election.
          const node = member.node()
          if (member.leader() === "c" && node !== undefined) yield* node.transferLeadership("a")
          yield* until("another one leads", () => others.includes(member.leader() ?? "c"))
          yield* member.readIndex
          yield* member.submit({ ...create("x"), key: "k", fingerprint: "f" })
          return asked.splice(0)
        }).pipe(Effect.provideService(Random.Random, alike), Effect.scoped)
        const [first, second] = [yield* live, yield* live]
        assert.isAtLeast(Math.min(first.length, second.length), 2)
        assert.deepStrictEqual(
          first.filter((name) => second.includes(name)),
          []
        )
      }).pipe(Effect.scoped)
  )

  it.live("a read of a follower that no entries reach is refused in time", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const network = makeMemoryNetwork()
      let starved: string | undefined
      const links = (whole: Transport["Service"]): Transport["Service"] => ({
        ...whole,
        send: (to, lane, message) =>
          to === starved && message._tag === "AppendEntries" ? false : whole.send(to, lane, message)
      })
      const members = yield* Effect.forEach(ids, (id) => startMember(network, root, id, { links }))
      yield* ready(members)
      const follower = members.find((member) => member.leader() !== member.self.nodeId)!
      starved = follower.self.nodeId
      const leader = members.find((member) => member.leader() === member.self.nodeId)!
      yield* leader.submit(create("x"))
      const refused = yield* Effect.flip(follower.readIndex).pipe(Effect.timeout("3 seconds"))
      assert.strictEqual(refused._tag, "NotDone")
      starved = undefined
      // On a busy machine the follower has lost its leader meanwhile.
      const read = Effect.retry(follower.readIndex, Schedule.spaced("20 millis"))
      assert.isAtLeast(yield* Effect.timeout(read, "10 seconds"), leader.tables.index)
    }).pipe(Effect.scoped)
  )

  it.live(
    "a request that still waits when its member ends is told what is certain, and one that was given up nothing",
    () =>
      Effect.gen(function* () {
        const root = yield* directory
        const network = makeMemoryNetwork()
        const scope = yield* Scope.make()
        const member = yield* Scope.provide(startMember(network, root, "a"), scope)
        const outcomes: Array<string> = []
        const note = (exit: Exit.Exit<unknown, { readonly _tag: string }>) =>
          outcomes.push(
            Exit.isSuccess(exit)
              ? "Success"
              : Exit.findErrorOption(exit).pipe(Option.match({ onNone: () => "?", onSome: ({ _tag }) => _tag }))
          )
        member.submitUnsafe(create("x"), note)
        member.readIndexUnsafe(note)
        member.submitUnsafe(create("y"), note)()
        assert.deepStrictEqual(outcomes, [], "a member alone waits for a leader")
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(outcomes, ["NotDone", "NotDone"])
        member.submitUnsafe(create("z"), note)
        assert.deepStrictEqual(outcomes, ["NotDone", "NotDone", "NotDone"])
      }).pipe(Effect.scoped)
  )

  it.live("a defect in the handler of an outcome stops no node", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const network = makeMemoryNetwork()
      const members = yield* Effect.forEach(ids, (id) => startMember(network, root, id))
      yield* ready(members)
      let outcomesCount = 0
      const fail = () => {
        outcomesCount += 1
        throw new Error("a defect of a handler")
      }
      for (const member of members) {
        member.submitUnsafe(create(`of ${member.self.nodeId}`), fail)
        member.readIndexUnsafe(fail)
      }
      yield* until("all outcomes are told", () => outcomesCount === 6)
      for (const member of members) {
        assert.strictEqual((yield* member.submit(create(`after ${member.self.nodeId}`))).result._tag, "Accepted")
        yield* member.readIndex
      }
    }).pipe(Effect.scoped)
  )
})
