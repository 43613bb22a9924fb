/** Members of two releases, of which the former knows format 1: real files, a network in memory. */
import { assert, it } from "@effect/vitest"
import { Cause, Effect, Exit, Runtime, Scope } from "effect"
import type * as Member from "../../src/Cluster/Member.ts"
import type { Command } from "../../src/Machine/Command.ts"
import * as Format from "../../src/Machine/Format.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { makeMemoryNetwork } from "../../src/Raft/peers/MemoryNetwork.ts"
import { directory, ids, startMember, until } from "../Raft/core/Members.ts"

const former: Format.Formats = { newest: 1, begins: 1 }
const create = (name: string): Command => ({ _tag: "Create", model: "User", data: { email: `${name}@x` } })

it.live("a format becomes active once the last member knows it, and a member that goes back then stops", () =>
  Effect.gen(function* () {
    const root = yield* directory
    const network = makeMemoryNetwork()
    const members = new Map<string, { readonly member: Member.Member["Service"]; readonly scope: Scope.Closeable }>()
    const start = (id: string, formats: Format.Formats) =>
      Effect.gen(function* () {
        const running = members.get(id)
        if (running !== undefined) yield* Scope.close(running.scope, Exit.void)
        const scope = yield* Scope.make()
        yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
        const member = yield* Effect.provideService(startMember(network, root, id, { formats }), Scope.Scope, scope)
        members.set(id, { member, scope })
        return member
      })
    const formats = () => ids.map((id) => members.get(id)!.member.tables.format)
    for (const id of ids) yield* start(id, former)
    let written = 0
    const write = Effect.suspend(() => members.get("a")!.member.submit(create(`u${written++}`)))
    yield* Effect.retry(write, { times: 20 })
    for (const id of ["a", "b"]) {
      yield* start(id, Format.ofRelease)
      yield* Effect.retry(write, { times: 20 })
    }
    assert.deepStrictEqual(formats(), [1, 1, 1])
    yield* start("a", former)
    yield* Effect.retry(write, { times: 20 })
    for (const id of ["a", "c"]) yield* start(id, Format.ofRelease)
    yield* until("the format is active on all", () => formats().every((format) => format === Format.newest))
    yield* Effect.retry(write, { times: 20 })
    const last = () => ids.map((id) => members.get(id)!.member.tables)
    yield* until("hashes are equal", () => new Set(last().map(Tables.stateHash)).size === 1)
    const stopped = yield* Effect.exit((yield* start("b", former)).stopped)
    const error = Exit.isFailure(stopped) ? Cause.squash(stopped.cause) : undefined
    assert.instanceOf(error, Format.FormatUnknown)
    assert.strictEqual(Runtime.getErrorExitCode(error), 78)
    yield* Effect.retry(write, { times: 20 })
  }).pipe(Effect.scoped)
)
