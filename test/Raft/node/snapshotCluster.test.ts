/** Snapshots across a cluster of real members: real files, a network in memory, real time with bounded waits. Raft §7. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import * as Tables from "../../../src/Machine/Tables.ts"
import { makeMemoryNetwork } from "../../../src/Raft/peers/MemoryNetwork.ts"
import { directory, ids, littleHistory, type Running, startMember, until } from "../core/Members.ts"

const write = (member: Running, prefix: string, count: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, number) => `${prefix}${number}@x`),
    (email) => member.submit({ _tag: "Create", model: "User", data: { email } }),
    { concurrency: 16, discard: true }
  )

const firstIndexOf = (member: Running) => member.node()?.core.log.firstIndex ?? 0

const areEqual = (members: ReadonlyArray<Running>) =>
  until("all hold the same", () => {
    const states = members.map((each) => `${each.node()?.appliedIndex()} ${Tables.stateHash(each.tables)}`)
    return new Set(states).size === 1
  })

describe("snapshots across a cluster", () => {
  it.live(
    "a follower far behind what is compacted is brought up by a snapshot, under writes (C13, C14)",
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
        yield* write(a, "without-c", 400)
        yield* until("what c needs is compacted away", () => [a, b].every((member) => firstIndexOf(member) > 100))
        const back = yield* startMember(network, root, "c", { config: littleHistory })
        yield* write(a, "meanwhile", 200)
        yield* areEqual([a, b, back])
        assert.isAbove(firstIndexOf(back), 100, "its log begins behind a snapshot")
        assert.strictEqual(back.tables.byModel.get("User")!.rows.size, 620)
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "a cluster that stops and starts is restored from its snapshots and what follows them",
    () =>
      Effect.gen(function* () {
        const root = yield* directory
        const run = <A, E>(use: (members: ReadonlyArray<Running>) => Effect.Effect<A, E>) =>
          Effect.gen(function* () {
            const network = makeMemoryNetwork()
            const members = yield* Effect.forEach(ids, (id) =>
              startMember(network, root, id, { config: littleHistory })
            )
            yield* until("all know a leader", () => members.every((member) => member.leader() !== undefined))
            return yield* use(members)
          }).pipe(Effect.scoped)
        const before = yield* run((members) =>
          Effect.gen(function* () {
            yield* write(members[1]!, "first", 300)
            yield* until("all have compacted", () => members.every((member) => firstIndexOf(member) > 100))
            yield* areEqual(members)
            return Tables.stateHash(members[0]!.tables)
          })
        )
        yield* run((members) =>
          Effect.gen(function* () {
            yield* Effect.forEach(members, (member) => member.readIndex)
            yield* areEqual(members)
            assert.strictEqual(Tables.stateHash(members[0]!.tables), before)
            for (const member of members) assert.isAbove(member.node()?.core.snapshot?.index ?? 0, 100)
            yield* write(members[2]!, "second", 300)
            yield* areEqual(members)
            assert.strictEqual(members[0]!.tables.byModel.get("User")!.rows.size, 600)
          })
        )
      }).pipe(Effect.scoped),
    60_000
  )
})
