/** What every repository does, near and far. Each case is a program, for a cluster that is empty. */
import { assert } from "@effect/vitest"
import { Effect, Option } from "effect"
import * as Repository from "../../src/Repository.ts"
import {
  byCategory,
  count,
  Elsewhere,
  echo,
  names,
  namesByCategory,
  never,
  nowhere,
  Product,
  ProductId,
  Review,
  SoldOut,
  Stock,
  TerseProduct,
  take,
  View
} from "./surfaceModels.ts"

type Case = Effect.Effect<void, unknown, Repository.Repository>

/** What a program can tell of a failure: its kind, its members, and the places of its errors. */
const refusal = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<object, unknown, R> =>
  Effect.map(Effect.flip(effect), (error) => {
    if (!(error instanceof Repository.Problem)) return { error }
    const { errors = [], ...members } = error.members as { readonly errors?: ReadonlyArray<{ readonly path: string }> }
    return { kind: error.kind, paths: errors.map(({ path }) => path), ...members }
  })

const invalid = (...paths: ReadonlyArray<string>) => ({ kind: "invalid-request", paths })

const anId = ProductId.make("00000000-0000-4000-8000-000000000001")
const anvil = { name: "Anvil", price: 5 }

/** Changes every object and every list in a value. */
const spoil = (value: unknown): void => {
  if (typeof value !== "object" || value === null) return
  for (const member of Object.values(value)) spoil(member)
  if (Array.isArray(value)) value.push("spoilt")
  else if (Object.isExtensible(value)) Object.assign(value, { spoilt: true })
}

/** A program in another language than this one's types. */
const untyped = <A>(value: unknown): A => value as A

export const contract: Readonly<Record<string, Case>> = {
  "creates, reads, replaces, patches and deletes records, with their versions": Effect.gen(function* () {
    const products = yield* Repository.make(Product)
    const created = yield* products.create({ ...anvil, category: "tools" })
    assert.instanceOf(created.row, Product)
    assert.deepStrictEqual({ ...created.row }, { id: created.row.id, ...anvil, category: "tools" })
    assert.strictEqual(created.version, 1)
    const { id } = created.row
    assert.deepStrictEqual(yield* products.get(id), Option.some(created))
    const patched = yield* products.patch(id, { price: 6, category: null })
    assert.deepStrictEqual([patched.row.price, patched.row.category, patched.version], [6, undefined, 2])
    const put = yield* products.put(id, { name: "Hammer", price: 1 })
    assert.deepStrictEqual([put.row.name, put.version], ["Hammer", 3])
    assert.isUndefined(yield* products.delete(id))
    assert.deepStrictEqual(yield* products.get(id), Option.none())
    const again = yield* products.put(id, anvil)
    assert.deepStrictEqual([again.row.id, again.version], [id, 5], "versions go on")
  }),

  "reads the past of a record: its versions, and its state at each, also after its deletion": Effect.gen(function* () {
    const products = yield* Repository.make(Product)
    const { id } = (yield* products.create(anvil)).row
    yield* products.patch(id, { price: 6 })
    yield* products.delete(id)
    yield* products.put(id, { name: "Hammer", price: 1 })
    const whole = Option.getOrThrow(yield* products.history(id))
    assert.deepStrictEqual(
      whole.items.map(({ row, type, version }) => [version, type, row?.name, row?.price]),
      [
        [1, "created", "Anvil", 5],
        [2, "updated", "Anvil", 6],
        [3, "deleted", "Anvil", 6],
        [4, "created", "Hammer", 1]
      ]
    )
    assert.deepStrictEqual([whole.next, whole.isComplete], [undefined, true])
    for (const { index, row, timeMs } of whole.items) {
      assert.instanceOf(row, Product)
      assert.isAbove(index, 0)
      assert.isAbove(timeMs, 0)
    }
    const paged: Array<object> = []
    for (let cursor: string | undefined = ""; cursor !== undefined; ) {
      const options = cursor === "" ? { limit: 1 } : { limit: 1, cursor }
      const page: Repository.HistoryPage<typeof Product> = Option.getOrThrow(yield* products.history(id, options))
      paged.push(...page.items)
      cursor = page.next
    }
    assert.deepStrictEqual(paged, [...whole.items])
    for (const { row, type, version } of whole.items) {
      const then = yield* products.at(id, { version })
      assert.deepStrictEqual(then, type === "deleted" ? Option.none() : Option.some({ row, version }))
    }
    const last = whole.items[3]!
    assert.deepStrictEqual(yield* products.at(id, { timeMs: last.timeMs }), Option.some({ row: last.row, version: 4 }))
    assert.deepStrictEqual(yield* products.at(id, { timeMs: 0 }), Option.none())
    assert.deepStrictEqual(yield* products.at(id, { version: 5 }), Option.none())
    assert.deepStrictEqual(yield* products.history(anId), Option.none())
    assert.deepStrictEqual(yield* products.at(anId, { version: 1 }), Option.none())
    assert.deepStrictEqual(yield* refusal(products.history(id, { cursor: "nonsense" })), invalid("cursor"))
    assert.deepStrictEqual(yield* refusal(products.history(id, { limit: 0 })), invalid("limit"))
    assert.deepStrictEqual(yield* refusal(products.at(id, { version: 0 })), invalid("version"))
    assert.deepStrictEqual(yield* refusal(products.at(id, { timeMs: Number.NaN })), invalid("timeMs"))
  }),

  "reads the past of local and mixed records: replicated fields, or the node's own": Effect.gen(function* () {
    const products = yield* Repository.make(Product)
    const reviews = yield* Repository.make(Review)
    const views = yield* Repository.make(View)
    const productId = (yield* products.create({ name: "Reviewed", price: 5 })).row.id
    yield* reviews.put("r", { productId, text: "good", draft: "better" })
    yield* reviews.patch("r", { text: "best" })
    const told = Option.getOrThrow(yield* reviews.history("r")).items
    assert.deepStrictEqual(
      told.map(({ row }) => ({ ...row })),
      [
        { id: "r", productId, text: "good" },
        { id: "r", productId, text: "best" }
      ]
    )
    assert.deepStrictEqual(
      { ...Option.getOrThrow(yield* reviews.at("r", { version: 1 })).row },
      {
        id: "r",
        productId,
        text: "good"
      }
    )
    yield* views.put("v", { html: "<p>" })
    yield* views.put("v", { html: "<b>" })
    const own = Option.getOrThrow(yield* views.history("v")).items
    assert.deepStrictEqual(
      own.map(({ row, version }) => [version, row?.html]),
      [
        [1, "<p>"],
        [2, "<b>"]
      ]
    )
    assert.strictEqual(Option.getOrThrow(yield* views.at("v", { version: 1 })).row.html, "<p>")
  }),

  "deletes a record that the program's release cannot read": Effect.gen(function* () {
    const products = yield* Repository.make(Product)
    const terse = yield* Repository.make(TerseProduct)
    const { id } = (yield* products.create(anvil)).row
    yield* Effect.flip(terse.get(id))
    assert.isUndefined(yield* terse.delete(id, { key: "removed" }))
    assert.isUndefined(yield* terse.delete(id, { key: "removed" }))
    assert.deepStrictEqual(yield* products.get(id), Option.none())
  }),

  "reads as new as the program asks, and refuses options that make no sense": Effect.gen(function* () {
    const products = yield* Repository.make(Product)
    const created = yield* products.create(anvil)
    for (const options of [
      {},
      { consistency: "linearizable" },
      { consistency: "session" },
      { consistency: "local" },
      { consistency: "local", staleMaxMs: 60_000 }
    ] as const) {
      assert.deepStrictEqual(yield* products.get(created.row.id, options), Option.some(created))
      assert.deepStrictEqual((yield* products.list(options)).items, [created])
    }
    for (const [options, ...paths] of [
      [{ consistency: "newest" }, "consistency"],
      [{ staleMaxMs: 5 }, "staleMaxMs"],
      [{ consistency: "session", staleMaxMs: 5 }, "staleMaxMs"],
      [{ consistency: "local", staleMaxMs: -1 }, "staleMaxMs"],
      [{ consistency: "local", staleMaxMs: 0.5 }, "staleMaxMs"]
    ] as const) {
      assert.deepStrictEqual(yield* refusal(products.get(anId, untyped(options))), invalid(...paths))
      assert.deepStrictEqual(yield* refusal(products.list(untyped(options))), invalid(...paths))
    }
  }),

  "changes a record only at the version that the program names": Effect.gen(function* () {
    const products = yield* Repository.make(Product)
    const { row, version } = yield* products.create(anvil)
    yield* products.patch(row.id, { price: 6 }, { ifVersion: version })
    const conflict = (currentVersion: number | null) => ({ kind: "version-conflict", paths: [], currentVersion })
    const stale = { ifVersion: 1 }
    assert.deepStrictEqual(yield* refusal(products.patch(row.id, { price: 7 }, stale)), conflict(2))
    assert.deepStrictEqual(yield* refusal(products.put(row.id, anvil, stale)), conflict(2))
    assert.deepStrictEqual(yield* refusal(products.delete(row.id, stale)), conflict(2))
    assert.deepStrictEqual(yield* refusal(products.put(anId, { ...anvil, name: "Nail" }, stale)), conflict(null))
    for (const ifVersion of [0, -1, 1.5, Number.NaN, untyped<number>("1")]) {
      assert.deepStrictEqual(yield* refusal(products.delete(row.id, { ifVersion })), invalid("ifVersion"))
      assert.deepStrictEqual(yield* refusal(products.put(row.id, anvil, { ifVersion })), invalid("ifVersion"))
    }
    yield* products.delete(row.id, { ifVersion: 2 })
  }),

  "keeps the rules of models, and says which one is broken": Effect.gen(function* () {
    const products = yield* Repository.make(Product)
    const reviews = yield* Repository.make(Review)
    const { row } = yield* products.create({ ...anvil, id: anId })
    const nail = { name: "Nail", price: 1 }
    const refused = (kind: string, ...paths: ReadonlyArray<string>) => ({ kind, paths })
    assert.deepStrictEqual(yield* refusal(products.create(anvil)), refused("unique-violation", "name"))
    assert.deepStrictEqual(yield* refusal(products.create({ ...nail, id: anId })), refused("already-exists"))
    assert.deepStrictEqual(yield* refusal(products.create({ ...nail, price: -1 })), invalid("price"))
    assert.deepStrictEqual(yield* refusal(products.create({ ...nail, price: 1_000 })), refused("cheap"))
    assert.deepStrictEqual(yield* refusal(products.create(untyped({ ...nail, weight: 1 }))), invalid("weight"))
    assert.deepStrictEqual(yield* refusal(products.put(row.id, untyped({ name: "Nail" }))), invalid("price"))
    assert.deepStrictEqual(yield* refusal(products.patch(row.id, untyped({ weight: 1 }))), invalid("weight"))
    assert.deepStrictEqual(yield* refusal(products.patch(row.id, { price: -1 })), invalid("price"))
    const dangling = ProductId.make("00000000-0000-4000-8000-000000000002")
    assert.deepStrictEqual(
      yield* refusal(reviews.create({ productId: dangling, text: "" })),
      refused("reference-missing", "productId")
    )
    const { row: review } = yield* reviews.create({ productId: row.id, text: "" })
    assert.deepStrictEqual(yield* refusal(products.delete(row.id)), {
      ...refused("referenced"),
      by: { model: "Review", field: "productId", id: review.id }
    })
    const stocks = yield* Repository.make(Stock)
    yield* stocks.create({ id: "s", left: 1 })
    assert.deepStrictEqual(yield* refusal(stocks.patch("s", { left: 2 })), refused("command-only"))
    assert.lengthOf((yield* products.list()).items, 1)
  }),

  "knows no record of an id that none can have": Effect.gen(function* () {
    const products = yield* Repository.make(Product)
    for (const id of ["x", "", "../products", "a b"].map(untyped<typeof ProductId.Type>)) {
      assert.deepStrictEqual(yield* products.get(id), Option.none())
      assert.deepInclude(yield* refusal(products.patch(id, { price: 1 })), { kind: "not-found" })
      assert.deepInclude(yield* refusal(products.delete(id)), { kind: "not-found" })
      assert.deepStrictEqual(yield* refusal(products.put(id, anvil)), invalid("id"))
    }
    assert.deepInclude(yield* refusal(products.delete(anId)), { kind: "not-found" })
    assert.deepStrictEqual(yield* products.get(anId), Option.none())
  }),

  "shows local fields and local records of the node that holds them": Effect.gen(function* () {
    const { records, transact } = yield* Repository.Repository
    const { row: product } = yield* records(Product).create(anvil)
    const reviews = records(Review)
    const { row } = yield* reviews.create({ id: "r", productId: product.id, text: "good", draft: "very good" })
    assert.strictEqual(row.draft, "very good")
    const drafted = yield* reviews.patch("r", { draft: "excellent" })
    assert.deepStrictEqual([drafted.row.draft, drafted.version], ["excellent", 1], "a local change has no version")
    const both = yield* reviews.patch("r", { text: "fine", draft: null }, { ifVersion: 1 })
    assert.deepStrictEqual([both.row.text, both.row.draft, both.version], ["fine", undefined, 2])
    assert.deepStrictEqual((yield* reviews.list({ where: [["draft", "is", "null"]] })).items, [
      { row: both.row, version: 2 }
    ])
    const views = records(View)
    yield* views.create({ id: "v", html: "<p>" })
    const view = yield* views.patch("v", { html: "<b>" }, { ifVersion: 1 })
    assert.deepStrictEqual([view.row.html, view.version], ["<b>", 2])
    assert.deepStrictEqual((yield* views.list()).items, [view])
    const [made] = yield* transact([Repository.create(View, { id: "w", html: "" })])
    assert.deepStrictEqual([made.id, made.version], ["w", 1])
    yield* views.delete("v")
    assert.deepStrictEqual(yield* views.get("v"), Option.none())
  }),

  "lists by filters and order, page by page, with versions and the total": Effect.gen(function* () {
    const products = yield* Repository.make(Product)
    const made = yield* Effect.forEach([3, 1, 2, 5, 4], (price) => products.create({ name: `of ${price}`, price }))
    yield* products.patch(made[3]!.row.id, { category: "dear" })
    const options = { where: [["price", "gte", 2]], orderBy: [["price", "desc"]], limit: 3, countsTotal: true } as const
    const page = yield* products.list(options)
    assert.deepStrictEqual(
      page.items.map(({ row, version }) => [row.price, version]),
      [
        [5, 2],
        [4, 1],
        [3, 1]
      ]
    )
    assert.instanceOf(page.items[0]?.row, Product)
    assert.strictEqual(page.total, 4)
    const last = yield* products.list({ ...options, cursor: page.next! })
    assert.deepStrictEqual(
      last.items.map(({ row }) => row.price),
      [2]
    )
    assert.isUndefined(last.next)
    assert.isUndefined((yield* products.list()).total)
    assert.lengthOf((yield* products.list({ where: [["category", "eq", "dear"]] })).items, 1)
    assert.lengthOf((yield* products.list({ where: [["category", "eq", null]] })).items, 4)
    for (const [wrong, ...paths] of [
      [{ limit: 0 }, "limit"],
      [{ limit: 1_001 }, "limit"],
      [{ limit: 1.5 }, "limit"],
      [{ cursor: "x" }, "cursor"],
      [{ cursor: page.next }, "cursor"],
      [{ where: [["weight", "eq", 1]] }, "weight"],
      [{ where: [["price", "eq", 1.5]] }, "price"],
      [{ where: [["price", "near", 1]] }, "price"],
      [{ orderBy: [["weight", "asc"]] }, "orderBy"]
    ] as const) {
      assert.deepStrictEqual(yield* refusal(products.list(untyped(wrong))), invalid(...paths), JSON.stringify(wrong))
    }
  }),

  "does a change with a key once, however often it is sent, and tells what became of it": Effect.gen(function* () {
    const { closeOperation, operation, records } = yield* Repository.Repository
    const products = records(Product)
    const first = yield* products.create(anvil, { key: "one" })
    assert.deepStrictEqual(yield* products.create(anvil, { key: "one" }), first)
    assert.deepInclude(yield* refusal(products.create({ name: "Nail", price: 1 }, { key: "one" })), {
      kind: "key-reused",
      key: "one"
    })
    const known = yield* operation("one")
    assert.deepStrictEqual([known.state, known.status], ["committed", 201])
    assert.deepStrictEqual(known.body, { ...first.row })
    yield* Effect.flip(products.create(anvil, { key: "refused" }))
    const refused = yield* operation("refused")
    assert.deepStrictEqual([refused.state, refused.status], ["committed", 409])
    assert.deepStrictEqual(yield* operation("never"), { state: "absent" })
    assert.deepStrictEqual(yield* closeOperation("never"), { state: "absent" })
    assert.deepInclude(yield* refusal(products.create({ name: "Nail", price: 1 }, { key: "never" })), {
      kind: "operation-closed",
      key: "never"
    })
    for (const key of ["", "a b", "é", "k".repeat(256)]) {
      assert.deepInclude(yield* refusal(products.create(anvil, { key })), { kind: "invalid-request" })
      assert.deepInclude(yield* refusal(operation(key)), { kind: "invalid-request" })
      assert.deepInclude(yield* refusal(closeOperation(key)), { kind: "invalid-request" })
    }
    assert.lengthOf((yield* products.list()).items, 1)
  }),

  "makes all changes of a transaction or none, and says which one failed": Effect.gen(function* () {
    const { records, transact } = yield* Repository.Repository
    const products = records(Product)
    const { row } = yield* products.create(anvil)
    const changes = [
      Repository.create(Product, { name: "Nail", price: 1 }),
      Repository.patch(Product, row.id, { price: 6 }, { ifVersion: 1 }),
      Repository.create(Stock, { id: "s", left: 1 })
    ] as const
    const [made, changed, other] = yield* transact(changes, { key: "tx" })
    assert.instanceOf(made.row, Product)
    assert.deepStrictEqual([made.version, changed.row?.price, changed.version, other.id], [1, 6, 2, "s"])
    assert.deepStrictEqual(yield* transact(changes, { key: "tx" }), [made, changed, other])
    const [removed] = yield* transact([Repository.remove(Product, made.id)])
    assert.deepStrictEqual(removed, { id: made.id, version: 2, row: undefined })
    const missing = transact([Repository.patch(Product, row.id, { price: 9 }), Repository.remove(Product, anId)])
    assert.deepInclude(yield* refusal(missing), { kind: "not-found", opIndex: 1 })
    const stale = transact([Repository.remove(Product, row.id, { ifVersion: 1 })])
    assert.deepInclude(yield* refusal(stale), { kind: "version-conflict", currentVersion: 2, opIndex: 0 })
    const misfit = transact([Repository.remove(Product, row.id), Repository.patch(Product, row.id, { price: -1 })])
    assert.deepStrictEqual(yield* refusal(misfit), invalid("ops.1.data.price"))
    const badId = transact([Repository.remove(Product, untyped("x"))])
    assert.deepStrictEqual(yield* refusal(badId), invalid("ops.0.id"))
    const badVersion = transact([Repository.remove(Product, row.id, { ifVersion: 0 })])
    assert.deepStrictEqual(yield* refusal(badVersion), invalid("ops.0.ifVersion"))
    assert.deepStrictEqual(yield* refusal(transact([])), invalid("ops"))
    const mixed = transact([Repository.remove(Product, row.id), Repository.create(View, { html: "" })])
    assert.deepInclude(yield* refusal(mixed), { kind: "invalid-request", opIndex: 1 })
    const many = Array.from({ length: 1_001 }, () => Repository.remove(Product, row.id))
    assert.deepInclude(yield* refusal(transact(many)), { kind: "too-large" })
    assert.strictEqual(Option.getOrThrow(yield* products.get(row.id)).version, 2)
  }),

  "creates all records or none, and places errors by the position of the record": Effect.gen(function* () {
    const products = yield* Repository.make(Product)
    const named = (...names: ReadonlyArray<string>) => names.map((name) => ({ name, price: 1 }))
    const created = yield* products.createAll(named("a", "b"), { key: "all" })
    assert.deepStrictEqual(
      created.map(({ row, version }) => [row.name, version]),
      [
        ["a", 1],
        ["b", 1]
      ]
    )
    assert.deepStrictEqual(yield* products.createAll(named("a", "b"), { key: "all" }), created)
    const misfit = products.createAll([...named("c"), { name: "", price: 1 }])
    assert.deepStrictEqual(yield* refusal(misfit), invalid("1.name"))
    const taken = yield* refusal(products.createAll(named("c", "d", "a")))
    assert.deepStrictEqual(taken, { kind: "unique-violation", paths: ["2.name"] })
    const broken = yield* refusal(products.createAll([...named("c"), { name: "d", price: 1_000 }]))
    assert.deepStrictEqual(broken, { kind: "cheap", paths: ["1"] })
    assert.deepInclude(yield* refusal(products.createAll([])), { kind: "invalid-request" })
    const many = Array.from({ length: 1_001 }, (_, at) => ({ name: `${at}`, price: 1 }))
    assert.deepInclude(yield* refusal(products.createAll(many)), { kind: "too-large" })
    assert.lengthOf((yield* products.list()).items, 2)
  }),

  "runs commands, and fails with the errors that they declare": Effect.gen(function* () {
    const { operation, records, run } = yield* Repository.Repository
    yield* records(Stock).create({ id: "s", left: 5 })
    const taken = yield* run(take, { id: "s", count: 2 }, { key: "take" })
    assert.instanceOf(taken, Stock)
    assert.strictEqual(taken.left, 3)
    assert.deepStrictEqual(yield* run(take, { id: "s", count: 2 }, { key: "take" }), taken)
    const soldOut = yield* Effect.flip(run(take, { id: "s", count: 4 }, { key: "much" }))
    assert.instanceOf(soldOut, SoldOut)
    assert.deepInclude(soldOut, { _tag: "SoldOut", left: 3 })
    const { body, state, status } = yield* operation("much")
    assert.deepStrictEqual([state, status], ["committed", 409])
    assert.deepInclude(body, { type: "urn:lithair:problem:sold-out", left: 3 })
    assert.deepInclude(yield* refusal(run(take, { id: "none", count: 1 })), { kind: "not-found" })
    assert.deepStrictEqual(yield* refusal(run(take, { id: "s", count: 0 })), invalid("count"))
    assert.deepInclude(yield* refusal(run(take, { id: "s", count: 1 }, { key: "take" })), { kind: "key-reused" })
  }),

  "reads projections: a whole state, the state of a key, and pages of states": Effect.gen(function* () {
    const { projections, records } = yield* Repository.Repository
    const { get, getKey, page } = projections
    assert.strictEqual(yield* get(count), 0)
    assert.deepStrictEqual(yield* getKey(byCategory, "a"), Option.none())
    const category = (category: string, at: number) => ({ name: `${at}`, price: 1, category })
    yield* records(Product).createAll(["a", "b", "a", "c"].map(category))
    for (const consistency of ["linearizable", "session"] as const) {
      assert.strictEqual(yield* get(count, { consistency }), 4)
      assert.deepStrictEqual(yield* getKey(byCategory, "a", { consistency }), Option.some({ count: 2 }))
    }
    yield* get(count, { consistency: "local", staleMaxMs: 60_000 })
    const first = yield* page(byCategory, { limit: 2 })
    assert.deepStrictEqual(first.items, [
      { key: "a", value: { count: 2 } },
      { key: "b", value: { count: 1 } }
    ])
    const second = yield* page(byCategory, { limit: 2, cursor: first.next! })
    assert.deepStrictEqual(second, { items: [{ key: "c", value: { count: 1 } }], next: undefined })
    assert.deepStrictEqual(yield* refusal(page(byCategory, { limit: 0 })), invalid("limit"))
    assert.deepStrictEqual(yield* refusal(page(byCategory, { cursor: "x" })), invalid("cursor"))
    assert.deepStrictEqual(yield* refusal(get(count, { staleMaxMs: 1 })), invalid("staleMaxMs"))
  }),

  "gives the program objects of its own: nothing that it does to them changes an answer": Effect.gen(function* () {
    const { closeOperation, operation, projections, records, run } = yield* Repository.Repository
    const products = yield* Repository.make(Product)
    yield* products.create({ ...anvil, category: "tools" }, { key: "made" })
    const fill = { name: "Nail", price: 1, category: "tools" }
    yield* Effect.flip(products.create({ ...fill, name: "Anvil" }, { key: "taken" }))
    const json = { list: [1] }
    const asks: Readonly<Record<string, Effect.Effect<unknown, unknown>>> = {
      get: products.list(),
      success: run(echo, { json, fails: false }, { key: "echo" }),
      error: Effect.map(Effect.flip(run(echo, { json, fails: true }, { key: "echoed" })), (error) => ({ ...error })),
      problem: Effect.map(Effect.flip(products.create({ ...fill, name: "Anvil" }, { key: "taken" })), (error) =>
        error instanceof Repository.Problem ? error.members : error
      ),
      operation: operation("made"),
      "an operation of a command": operation("echo"),
      "an operation that failed": operation("echoed"),
      "an operation that was refused": operation("taken"),
      "a closed operation": closeOperation("made"),
      state: projections.get(names),
      "a state by its key": projections.getKey(namesByCategory, "tools"),
      "a page of states": projections.page(namesByCategory)
    }
    for (const [what, ask] of Object.entries(asks)) {
      const before = JSON.stringify(yield* ask)
      spoil(yield* ask)
      assert.strictEqual(JSON.stringify(yield* ask), before, what)
    }
    // The next event folds a state that nobody has changed.
    yield* records(Product).create(fill)
    assert.deepStrictEqual(yield* projections.get(names), { names: ["Anvil", "Nail"] })
  }),

  "refuses what its node does not serve": Effect.gen(function* () {
    const { projections, records, run, transact } = yield* Repository.Repository
    const elsewhere = records(Elsewhere)
    const missing = { kind: "not-found", served: false }
    assert.deepInclude(yield* refusal(elsewhere.get("x")), missing)
    assert.deepInclude(yield* refusal(elsewhere.list()), missing)
    assert.deepInclude(yield* refusal(elsewhere.create({ text: "" })), missing)
    assert.deepInclude(yield* refusal(elsewhere.delete("x")), missing)
    assert.deepInclude(yield* refusal(run(nowhere, {})), missing)
    assert.deepInclude(yield* refusal(projections.get(never)), missing)
    const both = transact([Repository.create(Stock, { left: 1 }), Repository.create(Elsewhere, { text: "" })])
    assert.deepInclude(yield* refusal(both), { kind: "not-found", opIndex: 1 })
    assert.deepInclude(yield* refusal(elsewhere.createAll([{ text: "" }])), { kind: "not-found" })
  })
}
