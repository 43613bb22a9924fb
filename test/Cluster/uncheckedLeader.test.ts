/** A node that leads before it has checked its records: real files, a network in memory. */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import type { Command } from "../../src/Machine/Command.ts"
import { makeMemoryNetwork } from "../../src/Raft/peers/MemoryNetwork.ts"
import { descriptors } from "../Machine/Store.ts"
import { directory, startMember, until } from "../Raft/core/Members.ts"

const create = (at: number): Command => ({ _tag: "Create", model: "User", data: { email: `${at}@x` } })
const writtenCount = 1000
const checkMs = 10_000

/**
 * Models whose check takes long, after a change that makes the check due. All three nodes share one thread here, so each
 * record takes no more of it than a slice of a check does: the others have their turn in between.
 */
const slow = descriptors.map((descriptor) => ({
  ...descriptor,
  fingerprint: () => "another",
  read: {
    ...descriptor.read,
    recordWhole: (stored: Parameters<typeof descriptor.read.recordWhole>[0]) => {
      const end = performance.now() + checkMs / writtenCount
      while (performance.now() < end);
      return descriptor.read.recordWhole(stored)
    }
  }
}))

it.live("hands leadership over, so that writes of all others go on while it checks", () =>
  Effect.gen(function* () {
    const root = yield* directory
    const network = makeMemoryNetwork()
    const scope = yield* Scope.make()
    const first = yield* startMember(network, root, "a")
    const second = yield* startMember(network, root, "b")
    yield* Effect.provideService(startMember(network, root, "c"), Scope.Scope, scope)
    const writes = Array.from({ length: writtenCount }, (_, at) =>
      Effect.retry(first.submit(create(at)), { times: 20 })
    )
    yield* Effect.all(writes, { concurrency: 50 })
    yield* Scope.close(scope, Exit.void)
    const restarted = yield* startMember(network, root, "c", { models: slow })
    const leads = () => restarted.node()?.core.role._tag === "Leader"
    yield* until("c has caught up", () => restarted.tables.byModel.get("User")?.rows.size === writtenCount)
    const began = performance.now()
    yield* until("c leads", () => {
      for (const { node } of [first, second]) {
        if (node()?.core.role._tag === "Leader") Effect.runFork(Effect.ignore(node()!.transferLeadership("c")))
      }
      return leads()
    })
    assert.strictEqual((yield* Effect.retry(first.submit(create(writtenCount)), { times: 20 })).result._tag, "Accepted")
    assert.isBelow(performance.now() - began, checkMs, "the check of c is not over")
    assert.isFalse(leads())
  }).pipe(Effect.scoped)
)
