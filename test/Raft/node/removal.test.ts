/** When a node takes itself for removed, and what it does then: Raft §6, diss. 4.2. Whole nodes in virtual time. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Runtime, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { system } from "../../../src/Access/Caller.ts"
import { Member } from "../../../src/Cluster/Member.ts"
import * as Model from "../../../src/Model.ts"
import type { Configuration } from "../../../src/Raft/core/Configuration.ts"
import { encodeConfiguration } from "../../../src/Raft/core/ConfigurationCodec.ts"
import { excludedAt, isRemoved } from "../../../src/Raft/core/Membership.ts"
import type { State } from "../../../src/Raft/core/State.ts"
import { MemberRemoved, removedEndMs, removedExitCode } from "../../../src/Raft/node/Removal.ts"
import { Records } from "../../../src/Repository/Records.ts"
import { TestCluster } from "../../../src/Testing.ts"
import { configurationOf, core, member, receive, sync } from "../core/Cores.ts"

/** The leader `a` sends these configurations, from entry 1 on, and says how many are committed. */
const follow = (state: State, configurations: ReadonlyArray<Configuration>, leaderCommit: number): State => {
  const prevLogIndex = state.log.lastIndex
  const entries = configurations.map((configuration, at) => {
    const payload = encodeConfiguration(configuration)
    return { index: prevLogIndex + at + 1, term: 1, type: "configuration" as const, payload }
  })
  receive(state, "a", {
    _tag: "AppendEntries",
    term: 1,
    prevLogIndex,
    prevLogTerm: prevLogIndex === 0 ? 0 : 1,
    entries,
    leaderCommit
  })
  sync(state)
  return state
}

const abc = configurationOf(["a", "b", "c"])
const ab = configurationOf(["a", "b"])
const leaving: Configuration = { ...ab, outgoing: abc.voters }

describe("a core takes its node for removed", () => {
  it("once a configuration without it is committed, and not before: it may be undone (§6)", () => {
    const c = follow(core("c", []), [abc, leaving, ab], 2)
    assert.isFalse(isRemoved(c))
    follow(c, [], 3)
    assert.isTrue(isRemoved(c))
  })

  it("not when its removal is rolled back", () => {
    const c = follow(core("c", []), [abc, leaving], 1)
    const payload = encodeConfiguration(abc)
    const entries = [{ index: 2, term: 2, type: "configuration" as const, payload }]
    receive(c, "b", { _tag: "AppendEntries", term: 2, prevLogIndex: 1, prevLogTerm: 1, entries, leaderCommit: 2 })
    sync(c)
    assert.isFalse(isRemoved(c))
  })

  it("not as a learner, nor while it catches up with the configuration that adds it (diss. 4.2.1)", () => {
    const c = follow(core("c", []), [ab], 1)
    assert.isFalse(isRemoved(c))
    follow(c, [{ ...ab, learners: [{ ...member("c"), autoPromote: true }] }], 2)
    assert.isFalse(isRemoved(c))
  })

  it("not when a former data directory of its name was removed before it was added (C16)", () => {
    const another = { ...member("c"), instanceId: "another" }
    const c = core("c", [], { instanceId: another.instanceId })
    assert.isFalse(isRemoved(follow(c, [abc, leaving, ab], 3)))
    assert.isFalse(isRemoved(follow(c, [{ ...ab, learners: [{ ...another, autoPromote: true }] }], 4)))
    // The former one, which runs at the same address, is removed.
    const former = follow(
      core("c", []),
      [abc, leaving, ab, { ...ab, learners: [{ ...another, autoPromote: true }] }],
      4
    )
    assert.isTrue(isRemoved(former))
  })

  it("not any more when it is added again", () => {
    const c = follow(core("c", []), [abc, leaving, ab], 3)
    follow(c, [{ ...ab, learners: [{ ...member("c"), autoPromote: true }] }], 3)
    assert.isFalse(isRemoved(c))
  })

  it("by the word of a peer that knows a later configuration than the one that names it", () => {
    const c = follow(core("c", []), [ab, abc], 2)
    // A peer that lags knows the one before it was added.
    assert.isFalse(isRemoved(c, 1))
    assert.isFalse(isRemoved(c, 2))
    assert.isTrue(isRemoved(c, 3))
    assert.isFalse(isRemoved(follow(core("d", []), [ab, abc], 2), 9), "one that was never named is still to be added")
  })

  it("and tells a peer of it by what is committed alone", () => {
    const b = follow(core("b", []), [abc, leaving, ab], 2)
    assert.isUndefined(excludedAt(b, member("c")))
    follow(b, [], 3)
    assert.strictEqual(excludedAt(b, member("c")), 3)
    assert.isUndefined(excludedAt(b, member("a")))
    assert.strictEqual(excludedAt(b, { ...member("a"), instanceId: "former" }), 3)
  })
})

class Product extends Model.Class<Product>("Product")({
  id: Model.id(Schema.String.check(Schema.isUUID())),
  name: Schema.NonEmptyString.pipe(Model.replicate)
}) {}

const provide = Effect.provide(TestCluster.layer({ models: [Product] }))

const ask = (request: HttpClientRequest.HttpClientRequest) =>
  Effect.gen(function* () {
    const { headers, status, text } = yield* HttpClient.execute(request)
    return { headers, status, body: JSON.parse(yield* text) as Record<string, unknown> }
  })
const get = (path: string) => ask(HttpClientRequest.get(path))
const post = ask(HttpClientRequest.post("/api/products").pipe(HttpClientRequest.bodyJsonUnsafe({ name: "Anvil" })))

/** Asks a member that stays. */
const remove = (id: string) =>
  Member.use((member) =>
    member.administer({ _tag: "ChangeMembers", admitted: "this-host", change: { _tag: "Remove", id }, force: true })
  )

const isRemovedThere = Member.use((member) => Effect.sync(member.isRemoved))

/** Waits, for 10 s of virtual time at most. */
const untilRemoved = (id: string) =>
  Effect.gen(function* () {
    const { advance, on } = yield* TestCluster
    for (let count = 0; count < 1_000; count++) {
      if (yield* on(id, isRemovedThere)) return
      yield* advance(10)
    }
    assert.fail(`${id} does not learn that it was removed`)
  })

/** It says so, serves nothing, and ends in time. */
const isGone = (id: string) =>
  Effect.gen(function* () {
    const { advance, on } = yield* TestCluster
    for (const consistency of ["linearizable", "session", "local"]) {
      const read = yield* on(id, get(`/api/products?consistency=${consistency}`))
      assert.deepStrictEqual([read.status, read.body.type], [503, "urn:lithair:problem:removed"], consistency)
    }
    const written = yield* on(id, post)
    assert.deepInclude(written.body, { type: "urn:lithair:problem:removed", definite: true })
    const ready = yield* on(id, get("/readyz"))
    assert.strictEqual(ready.status, 503)
    assert.include(ready.body.reasons as ReadonlyArray<string>, "The node was removed from its cluster")
    assert.strictEqual((yield* on(id, get("/livez"))).status, 200)
    const code = yield* on(
      id,
      Records.use((records) => records.get(system, Model.describe(Product), "x", { _tag: "Local" }))
    ).pipe(Effect.flip)
    assert.deepInclude(code, { _tag: "NotDone", reason: "removed" })
    yield* advance(removedEndMs)
    assert.deepInclude(yield* Effect.flip(on(id, get("/livez"))), { _tag: "NodeDown" })
  })

describe("a member that is removed", () => {
  for (const victim of ["a follower", "the leader"]) {
    it.effect(`says so, takes no write, answers no read, and ends: ${victim}`, () =>
      Effect.gen(function* () {
        const { leader, nodes, on } = yield* TestCluster
        const leading = yield* leader
        const id = victim === "the leader" ? leading : nodes.find((node) => node !== leading)!
        const [stays] = nodes.filter((node) => node !== id)
        yield* on(stays!, remove(id))
        yield* untilRemoved(id)
        yield* isGone(id)
        assert.strictEqual((yield* on(stays!, post)).status, 201)
      }).pipe(provide)
    )
  }

  it.effect("while it was down hears of it from a member, and ends likewise", () =>
    Effect.gen(function* () {
      const { crash, nodes, on, restart } = yield* TestCluster
      // The greatest id: no peer would dial it.
      const id = nodes.at(-1)!
      yield* crash(id)
      yield* on("n1", remove(id))
      yield* restart(id)
      yield* untilRemoved(id)
      yield* isGone(id)
    }).pipe(provide)
  )

  it.effect("ends its process with exit code 78", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Effect.fail(new MemberRemoved({ message: "removed" })))
      assert.isTrue(Exit.isFailure(exit))
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.strictEqual(Runtime.getErrorExitCode(error), removedExitCode)
      assert.strictEqual(removedExitCode, 78)
    })
  )
})
