/** Members of two releases, of which the former knows an older format: real files, a network in memory. */
import { assert, it } from "@effect/vitest"
import { Cause, Effect, Exit, Runtime, Scope } from "effect"
import type * as Member from "../../src/Cluster/Member.ts"
import type { Command } from "../../src/Machine/Command.ts"
import * as Format from "../../src/Machine/Format.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { membersOf } from "../../src/Raft/core/Configuration.ts"
import { makeMemoryNetwork } from "../../src/Raft/peers/MemoryNetwork.ts"
import { directory, ids, startMember, until } from "../Raft/core/Members.ts"

const create = (name: string): Command => ({ _tag: "Create", model: "User", data: { email: `${name}@x` } })

/** Three members, which start again with the formats of another release. */
const rolling = Effect.gen(function* () {
  const root = yield* directory
  const network = makeMemoryNetwork()
  const members = new Map<string, { readonly member: Member.Member["Service"]; readonly scope: Scope.Closeable }>()
  const memberOf = (id: string) => members.get(id)!.member
  const start = (id: string, formats: Format.Formats, address = id) =>
    Effect.gen(function* () {
      const running = members.get(id)
      if (running !== undefined) yield* Scope.close(running.scope, Exit.void)
      const scope = yield* Scope.make()
      yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
      const starting = startMember(network, root, id, { formats, address, tellsStarts: true })
      const member = yield* Effect.provideService(starting, Scope.Scope, scope)
      members.set(id, { member, scope })
      return member
    })
  const formats = () => ids.map((id) => memberOf(id).tables.format)
  let written = 0
  const write = Effect.suspend(() => memberOf("a").submit(create(`u${written++}`)))
  return { formats, memberOf, start, write: Effect.retry(write, { times: 20 }) }
})

it.live("a format becomes active once the last member knows it, and a member that goes back then stops", () =>
  Effect.gen(function* () {
    const former: Format.Formats = { newest: 1, begins: 1 }
    const { formats, memberOf, start, write } = yield* rolling
    for (const id of ids) yield* start(id, former)
    yield* write
    for (const id of ["a", "b"]) {
      yield* start(id, Format.ofRelease)
      yield* write
    }
    assert.deepStrictEqual(formats(), [1, 1, 1])
    yield* start("a", former)
    yield* write
    for (const id of ["a", "c"]) yield* start(id, Format.ofRelease)
    yield* until("the format is active on all", () => formats().every((format) => format === Format.newest))
    yield* write
    const last = () => ids.map((id) => memberOf(id).tables)
    yield* until("hashes are equal", () => new Set(last().map(Tables.stateHash)).size === 1)
    const stopped = yield* Effect.exit((yield* start("b", former)).stopped)
    const error = Exit.isFailure(stopped) ? Cause.squash(stopped.cause) : undefined
    assert.instanceOf(error, Format.FormatUnknown)
    assert.strictEqual(Runtime.getErrorExitCode(error), 78)
    yield* write
  }).pipe(Effect.scoped)
)

it.live("members that know starts record none before the last member reads them, which format 3 does not", () =>
  Effect.gen(function* () {
    const former: Format.Formats = { newest: 3, begins: 3 }
    const { formats, memberOf, start, write } = yield* rolling
    const recorded = (id: string) => membersOf(memberOf(id).node()!.core.configuration)
    for (const id of ids) yield* start(id, former)
    yield* write
    for (const id of ["a", "b"]) {
      yield* start(id, Format.ofRelease)
      yield* write
    }
    // The leader writes a move into the log as it would write a start.
    yield* start("c", former, "elsewhere")
    yield* until("the move is recorded", () =>
      ids.every((id) => recorded(id).some(({ address }) => address === "elsewhere"))
    )
    for (const id of ids) for (const { start } of recorded(id)) assert.isUndefined(start)
    assert.deepStrictEqual(formats(), [3, 3, 3])

    yield* start("c", Format.ofRelease, "elsewhere")
    yield* until("the format is active on all", () => formats().every((format) => format === Format.newest))
    yield* until("all starts are recorded", () =>
      ids.every((id) => recorded(id).every(({ start }) => start !== undefined))
    )
  }).pipe(Effect.scoped)
)
