/** How every repository, near and far, follows changes. Each case is a program, for a cluster that is empty. docs/client.md. */
import { assert } from "@effect/vitest"
import { Deferred, Effect, Fiber, Stream } from "effect"
import * as Repository from "../../src/Repository.ts"
import { Elsewhere, Product, ProductId, Review, View } from "./surfaceModels.ts"

type Case = Effect.Effect<void, unknown, Repository.Repository>
type Records = Repository.ModelRepository<typeof Product>

const isRecord = <M extends typeof Product>(told: Repository.Told<M>): told is Repository.RecordTold<M> =>
  told.type !== "bookmark"

/** The next changes after a position, without the bookmarks. */
const take = (records: Records, count: number, options?: Repository.ChangesOptions) =>
  Stream.runCollect(Stream.take(Stream.filter(records.changes(options), isRecord), count))

/** How the stream fails. */
const refusal = (records: Pick<Records, "changes">, options?: Repository.ChangesOptions) =>
  Effect.map(Effect.flip(Stream.runDrain(records.changes(options))), (error) => {
    assert.instanceOf(error, Repository.Problem)
    return error
  })

const shown = ({ id, row, type, version }: Repository.RecordTold<typeof Product>) => [type, id, version, row.price]

const ids = [1, 2, 3].map((at) => ProductId.make(`00000000-0000-4000-8000-00000000000${at}`)) as [
  typeof ProductId.Type,
  typeof ProductId.Type,
  typeof ProductId.Type
]

export const changesContract: Readonly<Record<string, Case>> = {
  "follows changes from a position on, each once and in order, with rows of the model": Effect.gen(function* () {
    const products = yield* Repository.make(Product)
    const [id] = ids
    yield* products.create({ id, name: "Anvil", price: 5 })
    yield* products.patch(id, { price: 6 })
    yield* products.delete(id)
    const all = yield* take(products, 3, { after: "0" })
    assert.deepStrictEqual(all.map(shown), [
      ["created", id, 1, 5],
      ["updated", id, 2, 6],
      ["deleted", id, 3, 6]
    ])
    for (const { index, position, row, timeMs } of all) {
      assert.instanceOf(row, Product)
      assert.strictEqual(position, `${index}.0`)
      assert.isNumber(timeMs)
    }
    for (const [at, { position }] of all.slice(0, 2).entries()) {
      assert.deepStrictEqual(yield* take(products, 2 - at, { after: position }), all.slice(at + 1))
    }
  }),

  "tells the changes of one entry one by one": Effect.gen(function* () {
    const products = yield* Repository.make(Product)
    const rows = ids.map((id, at) => ({ id, name: `Nail ${at}`, price: at }))
    yield* products.createAll(rows)
    const all = yield* take(products, 3, { after: "0" })
    assert.deepStrictEqual(
      all.map(({ row }) => ({ ...row })),
      rows
    )
    const [{ index, position }] = all as [(typeof all)[number]]
    assert.deepStrictEqual(
      all.map(({ position }) => position),
      [`${index}.0`, `${index}.1`, `${index}.2`]
    )
    assert.deepStrictEqual(yield* take(products, 2, { after: position }), all.slice(1))
  }),

  "follows from now on without a position, beginning with a bookmark": Effect.gen(function* () {
    const products = yield* Repository.make(Product)
    yield* products.create({ name: "Before", price: 1 })
    const begun = yield* Deferred.make<void>()
    const following = yield* products.changes().pipe(
      Stream.tap(({ type }) => (type === "bookmark" ? Deferred.succeed(begun, undefined) : Effect.void)),
      Stream.filter(isRecord),
      Stream.take(1),
      Stream.runCollect,
      Effect.forkChild
    )
    yield* Deferred.await(begun)
    yield* products.create({ name: "After", price: 2 })
    const [told] = yield* Fiber.join(following)
    assert.strictEqual(told?.row.name, "After")
  }),

  "tells all records of one state first, and then what changes": Effect.gen(function* () {
    const products = yield* Repository.make(Product)
    const [first, second, third] = ids
    yield* products.createAll([
      { id: second, name: "b", price: 2 },
      { id: first, name: "a", price: 1 }
    ])
    yield* products.patch(first, { price: 3 })
    const seen: Array<Repository.Told<typeof Product>> = []
    yield* products.changes({ initial: true }).pipe(
      Stream.tap((told) => {
        seen.push(told)
        return told.type === "bookmark" && told.isInitialEnd
          ? products.create({ id: third, name: "c", price: 4 })
          : Effect.void
      }),
      Stream.takeUntil(({ type }) => type === "created"),
      Stream.runDrain
    )
    const records = seen.filter(isRecord)
    assert.deepStrictEqual(records.map(shown), [
      ["record", first, 2, 3],
      ["record", second, 1, 2],
      ["created", third, 1, 4]
    ])
    const end = seen.findIndex((told) => told.type === "bookmark" && told.isInitialEnd)
    assert.strictEqual(seen[end - 1], records[1])
    // A first state that breaks off goes on after its last record.
    const rest = yield* products.changes({ after: records[0]!.position }).pipe(
      Stream.takeUntil((told) => told.type === "bookmark" && told.isInitialEnd),
      Stream.filter(isRecord),
      Stream.runCollect
    )
    assert.deepStrictEqual(rest.map(shown), [
      ["record", second, 1, 2],
      ["record", third, 1, 4]
    ])
  }),

  "refuses positions that no node can resume": Effect.gen(function* () {
    const products = yield* Repository.make(Product)
    for (const after of ["", "x", "-1", "1.", "01", "1.2.3", "1~Product", "1~a~Product~p"]) {
      const { kind, members } = yield* refusal(products, { after })
      assert.deepStrictEqual([after, kind, members.errors], [after, "invalid-request", members.errors])
    }
    assert.strictEqual((yield* refusal(products, { after: "1", initial: true })).kind, "invalid-request")
    for (const after of ["1000000", "00000000-0000-4000-8000-000000000000:1"]) {
      const gone = yield* refusal(products, { after })
      assert.isTrue(Repository.isProblem(gone, "changes-gone"), gone.kind)
      assert.deepStrictEqual(gone.members, { oldestIndex: 1, restart: "/api/products/changes?initial=true" })
    }
    const elsewhere = yield* Repository.make(Elsewhere)
    assert.deepInclude((yield* refusal(elsewhere as never)).members, { served: false })
  }),

  "follows several models in one stream, in the order of the log, as a union of their rows": Effect.gen(function* () {
    const { changes, records, transact } = yield* Repository.Repository
    const [id] = ids
    yield* records(Product).create({ id, name: "Anvil", price: 5 })
    yield* records(Review).create({ id: "r", productId: id, text: "Good", draft: "Bad" })
    yield* transact([Repository.patch(Product, id, { price: 6 }), Repository.patch(Review, "r", { text: "Better" })])
    yield* records(Review).delete("r")
    const take = (count: number, options: Repository.ChangesOptions) =>
      changes({ goods: Product, Review }, options).pipe(
        Stream.flatMap((told) =>
          told.type === "bookmark" || told.type === "erased" || told.type === "left" ? Stream.empty : Stream.make(told)
        ),
        Stream.take(count),
        Stream.runCollect
      )
    const all = yield* take(5, { after: "0" })
    const shown = all.map((told) => {
      assert.isTrue(told.row instanceof (told.model === "goods" ? Product : Review))
      return [told.type, told.id, told.model === "goods" ? told.row.price : told.row.text] as const
    })
    assert.deepStrictEqual(shown, [
      ["created", id, 5],
      ["created", "r", "Good"],
      ["updated", id, 6],
      ["updated", "r", "Better"],
      ["deleted", "r", "Better"]
    ])
    for (const [at, { position }] of all.slice(0, 4).entries()) {
      assert.deepStrictEqual(yield* take(4 - at, { after: position }), all.slice(at + 1))
    }
    // A position of one stream is one of the log: another stream goes on after it.
    const reviews = yield* records(Review)
      .changes({ after: all[2]!.position })
      .pipe(
        Stream.filter(({ type }) => type !== "bookmark"),
        Stream.take(2),
        Stream.runCollect
      )
    assert.deepStrictEqual(
      reviews.map(({ position }) => position),
      [all[3]!.position, all[4]!.position]
    )
    yield* records(Review).create({ id: "s", productId: id, text: "New" })
    const state = yield* take(2, { initial: true })
    assert.deepStrictEqual(
      state.map(({ id, model, type }) => [model, type, id]),
      [
        ["goods", "record", id],
        ["Review", "record", "s"]
      ]
    )
    const within = state[0]!.position
    assert.deepStrictEqual((yield* take(1, { after: within }))[0], state[1])
    const other = yield* refusal(records(Review) as never, { after: within })
    assert.strictEqual(other.kind, "invalid-request")
  }),

  "refuses several models that have no stream in common": Effect.gen(function* () {
    const { changes } = yield* Repository.Repository
    const refused = (models: Repository.Several, options?: Repository.ChangesOptions) =>
      Effect.map(Effect.flip(Stream.runDrain(changes(models, options))), (error) => {
        assert.instanceOf(error, Repository.Problem)
        return error
      })
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`m${at}`, Product]))
    for (const models of [{}, { View }, { Product, View }, { Product, again: Product }, many]) {
      const { kind, members } = yield* refused(models)
      assert.strictEqual(kind, "invalid-request")
      assert.include(JSON.stringify(members.errors), '"path":"models"')
    }
    assert.strictEqual((yield* refused({ Product }, { after: "0", initial: true })).kind, "invalid-request")
    assert.deepInclude((yield* refused({ Elsewhere })).members, { served: false })
    assert.deepInclude((yield* refused({ Product, Elsewhere })).members, { served: false })
  }),

  "leaves local fields out, and follows a local model by positions of its node's own log": Effect.gen(function* () {
    const { records } = yield* Repository.Repository
    const { row } = yield* records(Product).create({ name: "Anvil", price: 5 })
    yield* records(Review).create({ id: "r", productId: row.id, text: "Good", draft: "Bad" })
    const told = yield* records(Review)
      .changes({ after: "0" })
      .pipe(
        Stream.filter(({ type }) => type !== "bookmark"),
        Stream.take(1),
        Stream.runCollect
      )
    assert.deepInclude(told[0], { type: "created", id: "r" })
    assert.notInclude(JSON.stringify(told), "Bad")
    const views = records(View)
    const begun = yield* Effect.map(Stream.runCollect(Stream.take(views.changes(), 1)), ([bookmark]) => bookmark!)
    assert.match(begun.position, /^[0-9a-f-]{36}:\d+$/)
    yield* views.create({ id: "v", html: "<p>" })
    const own = yield* views.changes({ after: begun.position }).pipe(
      Stream.filter(({ type }) => type !== "bookmark"),
      Stream.take(1),
      Stream.runCollect
    )
    assert.deepInclude(own[0], { type: "created", id: "v" })
    assert.match(own[0]!.position, /^[0-9a-f-]{36}:\d+\.0$/)
  })
}
