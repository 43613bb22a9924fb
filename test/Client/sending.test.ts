/** A request until its answer is final: which answers are believed, what is sent again, and what is told in the end. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Result, Schema } from "effect"
import { FetchHttpClient } from "effect/http"
import * as Client from "../../src/Client.ts"
import * as Command from "../../src/Command.ts"
import { fingerprintOf } from "../../src/Http/IdempotencyKey.ts"
import * as DatedKey from "../../src/Machine/DatedKey.ts"
import * as Model from "../../src/Model.ts"
import * as Repository from "../../src/Repository.ts"
import { problem, type Reply, type Request, serve } from "./ScriptedNodes.ts"

const Id = Schema.String.check(Schema.isUUID())
const id = "00000000-0000-4000-8000-000000000001"

class Product extends Model.Class<Product>("Product")({
  id: Model.id(Id),
  name: Schema.NonEmptyString.pipe(Model.replicate)
}) {}

class ProductView extends Model.Class<ProductView>("ProductView")(
  { id: Model.id(Id), html: Schema.String },
  { mode: "local" }
) {}

class SoldOut extends Schema.TaggedError<SoldOut>()("SoldOut", { left: Schema.Int }) {}
const buy = Command.make("buy", {
  payload: Schema.Struct({ count: Schema.Int }),
  success: Schema.Struct({ left: Schema.Int }),
  error: [SoldOut]
})

/** What every answer of a node has. */
const ofNode = { "lithair-node": "a" }
const created: Reply = {
  status: 201,
  headers: { ...ofNode, etag: '"1"', "lithair-index": "7" },
  body: { id, name: "Anvil" }
}
const noQuorum = problem(503, "no-quorum", { definite: true }, { "retry-after": "1" })
const tooSlow = problem(408, "request-timeout")
const taken = problem(409, "unique-violation")
const replayed = { "idempotent-replayed": "true" }

/** A client of `count` servers that answer by `reply`, which does not wait for long. */
const against = Effect.fnUntraced(function* (count: number, reply: (request: Request, before: number) => Reply) {
  const { nodes, requests } = yield* serve(count, reply)
  const client = yield* Effect.provide(
    Client.make({ nodes, timeoutMs: 400, attemptTimeoutMs: 300 }),
    FetchHttpClient.layer
  )
  const products = client.records(Product)
  return { client, products, create: Effect.result(products.create({ name: "Anvil" })), requests }
})

/** One after the other, and the last one from then on. */
const inTurn =
  (...replies: readonly [Reply, ...ReadonlyArray<Reply>]) =>
  (_: Request, before: number): Reply =>
    replies[Math.min(before, replies.length - 1)]!

const keyOf = ({ headers }: Request) => headers["idempotency-key"]

/** What a change came to, in a word. */
const saidOf = <A, E extends { readonly _tag: string }>(result: Result.Result<A, E>): string => {
  if (Result.isSuccess(result)) return "done"
  const { failure } = result
  return failure._tag === "Problem" ? (failure as unknown as Repository.Problem).kind : failure._tag
}

/** A change answered like this, in turn, by three nodes. */
const changes = (...replies: readonly [Reply, ...ReadonlyArray<Reply>]) =>
  Effect.gen(function* () {
    const { create, requests } = yield* against(3, inTurn(...replies))
    return { said: saidOf(yield* create), requests }
  }).pipe(Effect.scoped)

describe("a change of a client", () => {
  it.live("is sent again where its body did not come in time (RFC 9110 §15.5.9)", () =>
    Effect.gen(function* () {
      const { requests, said } = yield* changes(tooSlow, created)
      assert.deepStrictEqual([said, requests.length], ["done", 2])
    })
  )

  it.live("is sent to another node with the same key and the same bytes when there is no answer", () =>
    Effect.gen(function* () {
      const { requests, said } = yield* changes("hangUp", problem(504, "unknown-outcome", { definite: false }), created)
      assert.strictEqual(said, "done")
      assert.deepStrictEqual(
        requests.map(({ at }) => at),
        [0, 1, 2]
      )
      assert.strictEqual(new Set(requests.map(keyOf)).size, 1)
      assert.isString(keyOf(requests[0]!))
      assert.strictEqual(new Set(requests.map(({ body }) => body)).size, 1)
    })
  )

  it.live("that the first node refuses is refused: no other node is asked", () =>
    Effect.gen(function* () {
      const { requests, said } = yield* changes(taken, created)
      assert.deepStrictEqual([said, requests.length], ["unique-violation", 1])
    })
  )

  it.live("that may have been done is refused only as the key remembers it", () =>
    Effect.gen(function* () {
      const { requests, said } = yield* changes("hangUp", taken, problem(409, "unique-violation", {}, replayed))
      assert.deepStrictEqual([said, requests.length], ["unique-violation", 3])
      const done = yield* changes("hangUp", problem(404, "not-found"), created)
      assert.strictEqual(done.said, "done", "a node that does not know the path has not decided it")
    })
  )

  it.live("that may have been done, and that no node remembers, is unknown, and told with its key", () =>
    Effect.gen(function* () {
      const { create, requests } = yield* against(3, inTurn("hangUp", problem(404, "not-found")))
      const result = yield* create
      assert.strictEqual(saidOf(result), "UnknownOutcome")
      if (Result.isFailure(result) && result.failure._tag === "UnknownOutcome") {
        assert.strictEqual(result.failure.key, keyOf(requests[0]!))
      }
    }).pipe(Effect.scoped)
  )

  it.live("that was certainly not done by all attempts is told so, and one that may have been is not", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* changes(noQuorum)).said, "no-quorum")
      assert.strictEqual((yield* changes(noQuorum, "hangUp", noQuorum)).said, "UnknownOutcome")
      assert.strictEqual((yield* changes({ status: 502, body: "<html>" })).said, "UnknownOutcome")
      assert.strictEqual((yield* changes(noQuorum, noQuorum, noQuorum, noQuorum, created)).said, "done")
    })
  )

  it.live("that may have been done stays unknown where no node can decide it (C18)", () =>
    Effect.gen(function* () {
      const refusals = [
        problem(503, "upgrade-required", { definite: true }, { "retry-after": "1" }),
        problem(503, "upgrade-required", { definite: true }),
        problem(503, "overloaded", { definite: true }),
        problem(409, "operation-expired"),
        problem(500, "internal")
      ]
      for (const refusal of refusals) {
        assert.strictEqual((yield* changes("hangUp", refusal)).said, "UnknownOutcome")
      }
    })
  )

  it.live("that no waiting helps is asked of each node once", () =>
    Effect.gen(function* () {
      const { requests, said } = yield* changes(problem(503, "upgrade-required", { definite: true }))
      assert.deepStrictEqual([said, requests.map(({ at }) => at)], ["upgrade-required", [0, 1, 2]])
    })
  )

  it.live("that failed by a mistake of the command is told so once the key says it for good", () =>
    Effect.gen(function* () {
      const internal = problem(500, "internal")
      const known = yield* changes(internal, problem(500, "internal", {}, replayed))
      assert.deepStrictEqual([known.said, known.requests.length], ["internal", 2])
      assert.strictEqual((yield* changes(internal)).said, "UnknownOutcome")
    })
  )

  it.live("is done only where a node says so: what stands before it may answer as well", () =>
    Effect.gen(function* () {
      const login: Reply = { status: 200, headers: { "content-type": "text/html" }, body: "<form>" }
      assert.strictEqual((yield* changes(login)).said, "UnknownOutcome")
      assert.strictEqual((yield* changes(login, created)).said, "done")
      const { nodes } = yield* serve(1, () => ({ status: 200, body: "<form>" }))
      const client = yield* Effect.provide(Client.make({ nodes, timeoutMs: 200 }), FetchHttpClient.layer)
      const removed = yield* Effect.flip(client.records(Product).delete(id))
      assert.strictEqual(removed._tag, "UnknownOutcome")
    }).pipe(Effect.scoped)
  )

  it.live("whose key has been forgotten may have been done; one whose key was closed, or is another's, was not", () =>
    Effect.gen(function* () {
      const expired = problem(409, "operation-expired", {}, { "lithair-index": "12" })
      assert.strictEqual((yield* changes("hangUp", expired)).said, "UnknownOutcome")
      const { products } = yield* against(3, () => expired)
      const given = yield* Effect.result(products.create({ name: "Anvil" }, { key: "k" }))
      assert.strictEqual(saidOf(given), "UnknownOutcome", "an older program may have sent a copy with this key")
      assert.strictEqual((yield* changes("hangUp", problem(409, "operation-closed"))).said, "operation-closed")
      assert.strictEqual((yield* changes("hangUp", problem(422, "key-reused"))).said, "key-reused")
    }).pipe(Effect.scoped)
  )

  it.live("has a key with the date of the last answer, and another one if that is too old and no copy was done", () =>
    Effect.gen(function* () {
      const expired = problem(409, "operation-expired", {}, { "lithair-index": "900" })
      const { client, products, requests } = yield* against(2, inTurn(expired, noQuorum, created, created, expired))
      yield* products.create({ name: "Anvil" })
      yield* client.records(Product).create({ name: "Anvil" })
      const keys = requests.map((request) => DatedKey.parse(keyOf(request) as string))
      assert.deepStrictEqual(
        keys.map((key) => key?.afterIndex),
        [0, 900, 900, 900]
      )
      assert.deepStrictEqual(requests.slice(1, 3).map(keyOf), [keyOf(requests[1]!), keyOf(requests[1]!)])
      assert.strictEqual(new Set(requests.map(keyOf)).size, 3)
      for (const [at, { body, headers, method, url }] of requests.entries()) {
        const fingerprint = fingerprintOf({ method, url, headers: headers as never }, new TextEncoder().encode(body))
        assert.isTrue(DatedKey.isOf(keys[at]!, fingerprint), "a node finds the fingerprint of this request in its key")
      }
      const failed = yield* Effect.flip(products.create({ name: "Anvil" }))
      assert.isTrue(failed._tag === "Problem" && Repository.isProblem(failed, "operation-expired"))
      assert.lengthOf(requests, 4 + 3, "it gives up after two more keys")
    }).pipe(Effect.scoped)
  )

  it.live("of a node's own data has an opaque key: no answer tells the index of the node's own log", () =>
    Effect.gen(function* () {
      const view: Reply = { ...created, body: { id, html: "<p>" } }
      const { client, requests } = yield* against(1, () => view)
      yield* client.records(ProductView).create({ html: "<p>" })
      assert.strictEqual(DatedKey.parse(keyOf(requests[0]!) as string), undefined)
    }).pipe(Effect.scoped)
  )

  it.live("takes a node that stands still for one that does not answer", () =>
    Effect.gen(function* () {
      const { nodes, requests } = yield* serve(2, ({ at }) => (at === 0 ? "nothing" : created))
      const patient = Client.make({ nodes, timeoutMs: 20_000, attemptTimeoutMs: 100 })
      const client = yield* Effect.provide(patient, FetchHttpClient.layer)
      yield* client.records(Product).create({ name: "Anvil" })
      assert.deepStrictEqual(
        requests.map(({ at }) => at),
        [0, 1]
      )
    }).pipe(Effect.scoped)
  )

  it.live("with data that does not fit is not sent", () =>
    Effect.gen(function* () {
      const { client, products, requests } = yield* against(1, () => created)
      const refused = yield* Effect.flip(products.create({ name: "" }))
      assert.isTrue(refused._tag === "Problem" && Repository.isProblem(refused, "invalid-request"))
      const transaction = yield* Effect.flip(
        client.transact([Repository.remove(Product, id), Repository.patch(Product, id, { name: "" })])
      )
      const errors = transaction._tag === "Problem" ? transaction.members.errors : undefined
      assert.deepStrictEqual(
        (errors as ReadonlyArray<{ readonly path: string }>).map(({ path }) => path),
        ["ops.1.data.name"]
      )
      const second = yield* Effect.flip(products.createAll([{ name: "Anvil" }, { name: "" }]))
      const places = second._tag === "Problem" ? second.members.errors : undefined
      assert.deepStrictEqual(
        (places as ReadonlyArray<{ readonly path: string }>).map(({ path }) => path),
        ["1.name"]
      )
      const badKey = yield* Effect.flip(products.create({ name: "Anvil" }, { key: "ü €" }))
      assert.isTrue(badKey._tag === "Problem" && Repository.isProblem(badKey, "invalid-request"))
      assert.deepStrictEqual(requests, [])
    }).pipe(Effect.scoped)
  )

  it.live("done, but answered by what this client cannot read, is called unreadable and never failed", () =>
    Effect.gen(function* () {
      const unknownShape: Reply = { status: 201, headers: { ...ofNode, etag: '"1"' }, body: { id } }
      assert.strictEqual((yield* changes(unknownShape)).said, "Unreadable")
      const noVersion: Reply = { status: 201, headers: ofNode, body: { id, name: "Anvil" } }
      assert.strictEqual((yield* changes(noVersion)).said, "Unreadable")
    })
  )

  it.live("fails with the errors that its command declares", () =>
    Effect.gen(function* () {
      const { client } = yield* against(1, () => problem(409, "sold-out", { left: 2 }))
      const soldOut = yield* Effect.flip(client.run(buy, { count: 3 }))
      assert.instanceOf(soldOut, SoldOut)
      assert.deepInclude(soldOut, { left: 2 })
    }).pipe(Effect.scoped)
  )
})

describe("a read of a client", () => {
  const found: Reply = {
    status: 200,
    headers: { ...ofNode, etag: '"3"', "lithair-index": "9" },
    body: { id, name: "Anvil" }
  }

  it.live("is asked of other nodes until one answers", () =>
    Effect.gen(function* () {
      const { products, requests } = yield* against(3, inTurn("hangUp", noQuorum, found))
      const read = yield* products.get(id)
      assert.deepStrictEqual(Option.getOrThrow(read).version, 3)
      assert.deepStrictEqual(
        requests.map(({ at }) => at),
        [0, 1, 2]
      )
      yield* products.get(id)
      assert.strictEqual(requests.at(-1)?.at, 2, "the node that answered well is asked next")
    }).pipe(Effect.scoped)
  )

  it.live("that no node answers says so, and names the nodes", () =>
    Effect.gen(function* () {
      const { products } = yield* against(2, () => "hangUp")
      const failure = yield* Effect.flip(products.get(id))
      assert.strictEqual(failure._tag, "NoAnswer")
      const minority = yield* against(2, () => noQuorum)
      const refused = yield* Effect.flip(minority.products.list())
      assert.isTrue(refused._tag === "Problem" && Repository.isProblem(refused, "no-quorum"))
    }).pipe(Effect.scoped)
  )

  it.live("of a session is as new as all that this client was answered, a refusal included", () =>
    Effect.gen(function* () {
      const { products, requests } = yield* against(
        2,
        inTurn(found, problem(404, "not-found", {}, { "lithair-index": "12" }), found)
      )
      yield* products.get(id)
      assert.deepStrictEqual(yield* products.get(id), Option.none())
      yield* products.get(id, { consistency: "session" })
      const { headers, url } = requests.at(-1)!
      assert.strictEqual(headers["lithair-min-index"], "12")
      assert.strictEqual(url, `/api/products/${id}?consistency=session`)
    }).pipe(Effect.scoped)
  )

  it.live("is asked of other nodes where one does not serve it at all, and is none only where it is not there", () =>
    Effect.gen(function* () {
      const notServed = problem(404, "not-found", { served: false })
      const { products, requests } = yield* against(2, inTurn(notServed, found, notServed))
      assert.isTrue(Option.isSome(yield* products.get(id)))
      assert.lengthOf(requests, 2)
      const nowhere = yield* Effect.flip(products.get(id))
      assert.isTrue(nowhere._tag === "Problem" && Repository.isProblem(nowhere, "not-found"))
    }).pipe(Effect.scoped)
  )

  it.live("of a list is asked for as the model's fields are written", () =>
    Effect.gen(function* () {
      const { products, requests } = yield* against(1, () => page)
      yield* products.list({
        where: [
          ["name", "in", ['a,"b', "c"]],
          ["name", "like", "A*"],
          ["id", "is", "notnull"]
        ],
        orderBy: [["name", "desc"]],
        limit: 7,
        cursor: "later",
        countsTotal: true,
        consistency: "local",
        staleMaxMs: 50
      })
      const none = yield* Effect.flip(products.list({ where: [["name", "in", []]] }))
      assert.isTrue(none._tag === "Problem" && Repository.isProblem(none, "invalid-request"))
      assert.lengthOf(requests, 1)
      const asked = new URLSearchParams(requests[0]!.url.split("?")[1])
      assert.deepStrictEqual(
        [...asked],
        [
          ["field.name", 'in."a,\\"b","c"'],
          ["field.name", "like.A*"],
          ["field.id", "is.notnull"],
          ["order", "name.desc"],
          ["limit", "7"],
          ["cursor", "later"],
          ["count", "exact"],
          ["versions", "true"],
          ["consistency", "local"],
          ["max-stale", "50"]
        ]
      )
    }).pipe(Effect.scoped)
  )
})

const page: Reply = { status: 200, headers: ofNode, body: { items: [], versions: [], next: null } }

describe("data that each node has for itself", () => {
  it.live("is asked for by its key on the first node too: no other one knows what became of it", () =>
    Effect.gen(function* () {
      const committed: Reply = { status: 200, headers: ofNode, body: { state: "committed", status: 201 } }
      const absent: Reply = { status: 200, headers: ofNode, body: { state: "absent" } }
      const { client, products } = yield* against(2, ({ at, url }) => {
        if (!url.startsWith("/api/_operations")) return at === 0 ? "hangUp" : created
        return at === 0 ? committed : absent
      })
      yield* products.create({ name: "Anvil" })
      assert.strictEqual((yield* client.operation("k")).state, "committed")
      assert.strictEqual((yield* client.closeOperation("k")).state, "committed")
    }).pipe(Effect.scoped)
  )

  it.live("is not what a patch of nothing is of", () =>
    Effect.gen(function* () {
      const patched: Reply = { status: 200, headers: { ...ofNode, etag: '"1"' }, body: { id, name: "Anvil" } }
      const { products } = yield* against(2, ({ at }) => (at === 0 ? "hangUp" : patched))
      assert.strictEqual((yield* products.patch(id, {})).version, 1)
    }).pipe(Effect.scoped)
  )

  it.live("is asked of the first node alone, whichever of them answers the rest", () =>
    Effect.gen(function* () {
      const { client, products, requests } = yield* against(3, ({ at, url }) => {
        if (url.startsWith("/api/product-views")) return at === 0 ? noQuorum : created
        return at === 0 ? "hangUp" : created
      })
      yield* products.create({ name: "Anvil" })
      yield* Effect.flip(client.records(ProductView).create({ html: "<p>" }))
      yield* Effect.flip(client.transact([Repository.create(ProductView, { html: "<p>" })]))
      const ofViews = requests.filter(({ url }) => url.startsWith("/api/product-views") || url === "/api/_tx")
      assert.deepStrictEqual([...new Set(ofViews.map(({ at }) => at))], [0])
    }).pipe(Effect.scoped)
  )
})
