/** Idempotency keys across snapshots, compactions, restarts and leaders, on real members. C17, C18. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schedule, Scope } from "effect"
import type { Command } from "../../src/Machine/Command.ts"
import * as DatedKey from "../../src/Machine/DatedKey.ts"
import * as DatedKeys from "../../src/Machine/DatedKeys.ts"
import * as Limits from "../../src/Machine/Limits.ts"
import { cut, heal, type MemoryNetwork, makeMemoryNetwork } from "../../src/Raft/peers/MemoryNetwork.ts"
import { directory, ids, littleHistory, type Running, startMember, until } from "../Raft/core/Members.ts"

/** A cluster on the files under `root`, for as long as `use` takes. */
const running = <A, E>(
  root: string,
  use: (members: ReadonlyArray<Running>, network: MemoryNetwork) => Effect.Effect<A, E>
) =>
  Effect.gen(function* () {
    const network = makeMemoryNetwork()
    const members = yield* Effect.forEach(ids, (id) => startMember(network, root, id, { config: littleHistory }))
    yield* until("all know a leader", () => members.every((member) => member.leader() !== undefined))
    return yield* use(members, network)
  }).pipe(Effect.scoped)

const put = (id: string, category: string): Command => ({
  _tag: "Put",
  model: "Product",
  id,
  data: { price: 1, category }
})

const write = (member: Running, prefix: string, count: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, number) => `${prefix}${number}`),
    (id) => member.submit(put(id, "x".repeat(100))),
    { concurrency: 16, discard: true }
  )

const isCompacted = (members: ReadonlyArray<Running>, index: number) => () =>
  members.every((member) => (member.node()?.core.log.firstIndex ?? 0) > index)

describe("idempotency keys in a cluster", () => {
  it.live(
    "by a leader that was restored from a snapshot what is kept is told, what only the log told is forgotten, and neither is done again (C17)",
    () =>
      Effect.gen(function* () {
        const root = yield* directory
        const network = makeMemoryNetwork()
        const [a, b] = (yield* Effect.forEach(["a", "b"], (id) =>
          startMember(network, root, id, { config: littleHistory })
        )) as [Running, Running]
        const scope = yield* Scope.make()
        const c = yield* Scope.provide(startMember(network, root, "c", { config: littleHistory }), scope)
        yield* until("all are formed", () => [a, b, c].every((member) => member.leader() !== undefined))
        yield* write(a, "before", 20)
        yield* Scope.close(scope, Exit.void)
        const small = { ...put("small", "s"), key: "small", fingerprint: "f" } as const
        const large = {
          ...put("large", "l".repeat(Limits.current.outcomeMaxBytes)),
          key: "large",
          fingerprint: "f"
        } as const
        const ended = { ...put("ended", "e"), key: "ended", fingerprint: "f" } as const
        const told = yield* a.submit(small)
        const first = yield* b.submit(large)
        assert.deepStrictEqual((yield* a.submit(large)).result, { ...first.result, replayedIndex: first.index })
        yield* b.submit({ _tag: "Close", key: ended.key })
        yield* write(a, "without-c", 400)
        yield* until("what c needs is compacted away", isCompacted([a, b], first.index))
        const back = yield* startMember(network, root, "c", { config: littleHistory })
        yield* write(a, "meanwhile", 50)
        yield* until("c holds no entry of the keys", isCompacted([back], first.index))
        const areLedByC = () => [a, b, back].every((member) => member.leader() === "c")
        // Refused as long as it lags.
        yield* Effect.ignore(b.administer({ _tag: "TransferLeadership", admitted: "this-host", to: "c" })).pipe(
          Effect.repeat({ schedule: Schedule.spaced("100 millis"), until: areLedByC, times: 100 })
        )
        yield* until("c leads", areLedByC)
        for (const member of [a, b, back]) {
          assert.deepStrictEqual((yield* member.submit(small)).result, { ...told.result, replayedIndex: told.index })
          const { status } = yield* member.inquire({ key: "small" })
          assert.deepInclude(status, { _tag: "Known", index: told.index, command: "Put" })
          const forgotten = yield* member.submit(large)
          assert.deepStrictEqual(forgotten.result, { _tag: "Rejected", rejection: { _tag: "KeyExpired" } })
          assert.deepStrictEqual((yield* member.inquire({ key: "large" })).status, { _tag: "Expired" })
          const closed = yield* member.submit(ended)
          assert.deepStrictEqual(closed.result, { _tag: "Rejected", rejection: { _tag: "KeyClosed" } })
          yield* member.readIndex
          const rows = member.tables.byModel.get("Product")!.rows
          assert.deepStrictEqual([rows.get("small")?.version, rows.get("large")?.version], [1, 1])
          assert.isFalse(rows.has("ended"))
        }
        const held = [...DatedKeys.entries(back.tables.datedKeys)]
        assert.deepStrictEqual(held, [...DatedKeys.entries(a.tables.datedKeys)])
        assert.isAbove(held.length, 400)
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "a write without a key is given one, by which its unknown outcome is told once a quorum is back, and a copy is done once (C18)",
    () =>
      Effect.gen(function* () {
        const root = yield* directory
        yield* running(root, (members, network) =>
          Effect.gen(function* () {
            const leader = members.find((member) => member.leader() === member.self.nodeId)!
            const others = members.filter((member) => member !== leader)
            yield* write(leader, "before", 3)
            for (const { self } of others) cut(network, [leader.self.nodeId, self.nodeId])
            const fingerprint = "f".repeat(43)
            const asked: Command = { ...put("unknown", "u"), fingerprint }
            const failure = yield* Effect.flip(leader.submit(asked))
            assert.strictEqual(failure._tag, "UnknownOutcome")
            const key = failure._tag === "UnknownOutcome" ? failure.key : undefined
            const said = DatedKey.parse(key ?? "")
            assert.isTrue(said !== undefined && DatedKey.isOf(said, fingerprint))
            if (key === undefined) return
            assert.strictEqual((yield* Effect.flip(leader.inquire({ key })))._tag, "NotDone")
            const before = yield* others[0]!.inquire({ key })
            assert.deepStrictEqual(before.status, { _tag: "Absent" }, "the majority has never heard of it")
            for (const { self } of others) heal(network, [leader.self.nodeId, self.nodeId])
            yield* until("all know a leader", () => members.every((member) => member.leader() !== undefined))
            const copies = yield* Effect.forEach(members, (member) => member.submit({ ...asked, key }), {
              concurrency: "unbounded"
            })
            const indexes = copies.map(({ result }) =>
              result._tag === "Accepted" ? result.answer.operations[0]!.index : assert.fail(result.rejection._tag)
            )
            assert.strictEqual(new Set(indexes).size, 1)
            assert.strictEqual(copies.filter(({ result }) => result.replayedIndex === undefined).length, 1)
            for (const member of members) {
              const { status } = yield* member.inquire({ key })
              assert.deepInclude(status, { _tag: "Known", index: indexes[0]!, command: "Put" })
              yield* member.readIndex
              assert.strictEqual(member.tables.byModel.get("Product")!.rows.get("unknown")?.version, 1)
            }
          })
        )
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "a node that has just started gives no key that its leader takes for forgotten: its writes are done",
    () =>
      Effect.gen(function* () {
        const root = yield* directory
        const network = makeMemoryNetwork()
        const [a, b] = (yield* Effect.forEach(["a", "b"], (id) => startMember(network, root, id))) as [Running, Running]
        const scope = yield* Scope.make()
        const c = yield* Scope.provide(startMember(network, root, "c"), scope)
        yield* until("all are formed", () => [a, b, c].every((member) => member.leader() !== undefined))
        yield* write(a, "before", 20)
        yield* Scope.close(scope, Exit.void)
        yield* until("a or b leads", () => a.leader() === b.leader() && a.leader() !== "c" && a.leader() !== undefined)
        // As if so many keys had been forgotten, before anybody decides on these tables.
        for (const { tables } of [a, b]) tables.datedKeys.floorIndex = 10
        const [leader, other] = a.leader() === "a" ? [a, b] : [b, a]
        yield* leader.administer({ _tag: "TransferLeadership", admitted: "this-host", to: other.self.nodeId })
        yield* until("the other leads", () => [a, b].every((member) => member.leader() === other.self.nodeId))
        const back = yield* startMember(network, root, "c")
        const { result } = yield* back.submit(put("first", "x"))
        assert.strictEqual(result._tag, "Accepted")
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "what is proposed and not committed is pending, and a key that is closed meanwhile is done or ended, never both",
    () =>
      Effect.gen(function* () {
        const root = yield* directory
        yield* running(root, (members, network) =>
          Effect.gen(function* () {
            const leader = members.find((member) => member.leader() === member.self.nodeId)!
            const other = members.find((member) => member !== leader)!
            const apart = (how: typeof cut) => {
              for (const { self } of members) if (self !== leader.self) how(network, [leader.self.nodeId, self.nodeId])
            }
            yield* write(leader, "before", 3)
            for (let round = 0; round < 3; round++) {
              apart(cut)
              const key = `pending-${round}`
              const asked: Command = { ...put(key, "p"), key, fingerprint: "f" }
              const lastIndex = leader.node()?.core.log.lastIndex ?? 0
              const submitted = yield* Effect.forkChild(Effect.exit(leader.submit(asked)))
              yield* until("it is proposed", () => (leader.node()?.core.log.lastIndex ?? 0) > lastIndex)
              apart(heal)
              const pending = yield* Effect.exit(leader.inquire({ key }))
              const first = yield* Fiber.join(submitted)
              if (pending._tag === "Success") assert.include(["Pending", "Known"], pending.value.status._tag)
              const closed = yield* other.submit({ _tag: "Close", key })
              const copy = yield* other.submit(asked)
              const isDone = closed.result._tag === "Accepted"
              assert.strictEqual(copy.result._tag === "Accepted", isDone)
              if (first._tag === "Success") assert.isTrue(isDone)
              for (const member of members) {
                assert.strictEqual((yield* member.inquire({ key })).status._tag, isDone ? "Known" : "Closed")
                yield* member.readIndex
                assert.strictEqual(member.tables.byModel.get("Product")!.rows.has(key), isDone)
              }
            }
          })
        )
      }).pipe(Effect.scoped),
    60_000
  )
})
