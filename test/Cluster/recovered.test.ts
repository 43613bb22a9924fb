/** What a node that has just started may read: nothing older than what its former life may have read. Diss. 6.4. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { system } from "../../src/Access/Caller.ts"
import * as Model from "../../src/Model.ts"
import { Projections } from "../../src/Projection/Projections.ts"
import * as Projection from "../../src/Projection.ts"
import { readableIndex } from "../../src/Raft/core/Reads.ts"
import type { State } from "../../src/Raft/core/State.ts"
import { step } from "../../src/Raft/core/step.ts"
import { Records } from "../../src/Repository/Records.ts"
import { TestCluster } from "../../src/Testing.ts"
import { core, entry, receive, sync } from "../Raft/core/Cores.ts"

const abc = ["a", "b", "c"]

/** The leader `a` of `term` sends what follows `prevLogIndex`, and says how many are committed; all of that is applied. */
const follow = (
  state: State,
  term: number,
  prevLogIndex: number,
  terms: ReadonlyArray<number>,
  leaderCommit: number
): void => {
  const entries = terms.map((each, at) => entry(prevLogIndex + at + 1, each))
  const prevLogTerm = prevLogIndex === 0 ? 0 : 1
  receive(state, "a", { _tag: "AppendEntries", term, prevLogIndex, prevLogTerm, entries, leaderCommit })
  sync(state)
  if (state.applyingIndex > state.lastApplied) step(state, { _tag: "Applied", index: state.applyingIndex })
}

describe("a core that has recovered a log", () => {
  it("lets nothing be read before all of it is applied again", () => {
    const b = core("b", abc, { terms: [1, 1, 1] })
    assert.strictEqual(readableIndex(b), 0)
    follow(b, 1, 3, [], 2)
    assert.deepStrictEqual([b.lastApplied, readableIndex(b)], [2, 0])
    follow(b, 1, 3, [], 3)
    assert.strictEqual(readableIndex(b), 3)
  })

  it("or its leader has replaced the end of it (§5.3)", () => {
    const b = core("b", abc, { terms: [1, 1, 1] })
    follow(b, 2, 1, [2], 2)
    assert.deepStrictEqual([b.lastApplied, readableIndex(b)], [2, 2])
  })

  it("not even where a snapshot stands for the beginning of it", () => {
    const b = core("b", abc, { terms: [1, 1, 1], snapshot: { index: 2, term: 1 } })
    assert.deepStrictEqual([b.lastApplied, readableIndex(b)], [2, 0])
  })

  it("an empty log holds nothing that could have been read", () => {
    assert.strictEqual(readableIndex(core("b", abc)), 0)
    const b = core("b", abc)
    follow(b, 1, 0, [1], 1)
    assert.strictEqual(readableIndex(b), 1)
  })
})

class Product extends Model.Class<Product>("Product")({
  id: Model.id(Schema.String.check(Schema.isUUID())),
  name: Schema.NonEmptyString.pipe(Model.replicate)
}) {}

const count = Projection.make("count", {
  from: [Product],
  version: 1,
  state: Schema.Int,
  initial: 0,
  evolve: (state) => state + 1
})

const get = (path: string) =>
  Effect.gen(function* () {
    const { headers, status, text } = yield* HttpClient.get(path)
    return { headers, status, body: JSON.parse(yield* text) as Record<string, unknown> }
  })
const post = HttpClient.execute(
  HttpClientRequest.post("/api/products").pipe(HttpClientRequest.bodyJsonUnsafe({ name: "Anvil" }))
)

const queries = ["consistency=local", "consistency=local&max-stale=1000000", "consistency=session", ""]
const paths = ["/api/products", "/api/products/01890000-0000-7000-8000-000000000000", "/api/_projections/count"]

/** Every read of what is replicated is refused, and so says `/readyz`. */
const isStarting = Effect.gen(function* () {
  for (const path of paths) {
    for (const query of queries) {
      const { body, headers, status } = yield* get(`${path}?${query}`)
      assert.deepStrictEqual([status, body.type], [503, "urn:lithair:problem:starting"], `${path} ${query}`)
      assert.isDefined(headers["retry-after"])
    }
  }
  const { body, status } = yield* get("/readyz")
  assert.strictEqual(status, 503)
  assert.include(body.reasons as ReadonlyArray<string>, "No quorum has confirmed yet that this node is up to date")
})

const localReads = Effect.gen(function* () {
  for (const path of paths) {
    const { headers, status } = yield* get(`${path}?consistency=local`)
    assert.include([200, 404], status, path)
    assert.match(headers["lithair-stale-ms"] ?? "missing", /^\d+$/, path)
  }
  const { body } = yield* get("/api/products?consistency=local")
  assert.lengthOf(body.items as ReadonlyArray<unknown>, 1)
})

const clusterOf = (size: number) => Effect.provide(TestCluster.layer({ models: [Product], projections: [count], size }))

describe("a node that has just started", () => {
  it.effect("answers no read without a quorum, though its log holds everything, and all of them with one", () =>
    Effect.gen(function* () {
      const { crash, nodes, on, restart, settle } = yield* TestCluster
      yield* on("n1", post)
      yield* settle
      for (const node of nodes) yield* on(node, localReads)
      yield* crash(...nodes)
      yield* restart("n2")
      yield* on("n2", isStarting)
      const program = yield* Effect.flip(
        on(
          "n2",
          Records.use((records) => records.source(system, Model.describe(Product), { _tag: "Local" }))
        )
      )
      assert.deepInclude(program, { _tag: "NotDone", reason: "starting" })
      const folded = yield* Effect.flip(
        on(
          "n2",
          Projections.use((all) => all.get(count, { _tag: "Local" }))
        )
      )
      assert.deepInclude(folded, { _tag: "NotDone", reason: "starting" })
      yield* restart("n1", "n3")
      yield* settle
      for (const node of nodes) {
        assert.strictEqual((yield* on(node, get("/api/products"))).status, 200)
        yield* on(node, localReads)
        assert.strictEqual((yield* on(node, get("/readyz"))).status, 200)
      }
    }).pipe(clusterOf(3))
  )

  it.effect("goes on to answer local reads, and says how old they are, when a quorum is lost later", () =>
    Effect.gen(function* () {
      const { advance, crash, on } = yield* TestCluster
      yield* on("n1", post)
      yield* on("n1", get("/api/products"))
      yield* crash("n2", "n3")
      yield* advance("5 seconds")
      const { headers, status } = yield* on("n1", get("/api/products?consistency=local"))
      assert.strictEqual(status, 200)
      assert.isAtLeast(Number(headers["lithair-stale-ms"]), 4_000)
    }).pipe(clusterOf(3))
  )

  it.effect("alone in its cluster commits by itself", () =>
    Effect.gen(function* () {
      const { on, restart, settle } = yield* TestCluster
      yield* on("n1", post)
      yield* restart("n1")
      yield* settle
      assert.strictEqual((yield* on("n1", get("/api/products"))).status, 200)
      yield* on("n1", localReads)
    }).pipe(clusterOf(1))
  )
})
