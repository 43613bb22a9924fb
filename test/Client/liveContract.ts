/** How every repository, near and far, keeps pages right. Each case is a program, for a cluster that is empty. docs/live.md. */
import { assert } from "@effect/vitest"
import { Effect, Queue, Stream } from "effect"
import * as Repository from "../../src/Repository.ts"
import { Elsewhere, Product, ProductId, Review, View } from "./surfaceModels.ts"

type Case = Effect.Effect<void, unknown, Repository.Repository>

const idAt = (at: number) => ProductId.make(`00000000-0000-4000-8000-0000000000${String(at).padStart(2, "0")}`)

/** Follows pages. `until` takes them up to one that holds, and checks that the differences lead from page to page. */
const open = Effect.fnUntraced(function* <P extends Repository.LivePage<typeof Product>>(
  pages: Stream.Stream<P, unknown>
) {
  const queue = yield* Queue.unbounded<P>()
  yield* Effect.forkScoped(Stream.runForEach(pages, (page) => Queue.offer(queue, page)))
  let before: P | undefined
  const next = Effect.map(Queue.take(queue), (page) => {
    const held = before?.items ?? []
    const gone = held.filter(({ row }) => !page.items.some((item) => item.row.id === row.id))
    assert.deepStrictEqual(
      page.removed as ReadonlyArray<string>,
      gone.map(({ row }) => row.id)
    )
    assert.deepStrictEqual(
      page.put,
      page.items.filter((item) => !held.includes(item))
    )
    if (before !== undefined) assert.isAtLeast(page.logIndex, before.logIndex)
    before = page
    return page
  })
  const until = Effect.fnUntraced(function* (holds: (page: P) => boolean) {
    let page = yield* next
    while (!holds(page)) page = yield* next
    return page
  })
  return { next, until }
})

const namesOf = ({ items }: Repository.LivePage<typeof Product>) => items.map(({ row }) => row.name).join(" ")

const refusal = (pages: Stream.Stream<unknown, unknown>) =>
  Effect.map(Effect.flip(Stream.runDrain(pages)), (error) => {
    assert.instanceOf(error, Repository.Problem)
    return error
  })

export const liveContract: Readonly<Record<string, Case>> = {
  "keeps a page right while records come, move and go": Effect.gen(function* () {
    const products = yield* Repository.make(Product)
    const [a, b, c] = [idAt(1), idAt(2), idAt(3)]
    yield* products.create({ id: b, name: "b", price: 5, category: "x" })
    const { next, until } = yield* open(
      products.live({ where: [["category", "eq", "x"]], orderBy: [["price", "asc"]], limit: 2 })
    )
    const first = yield* next
    assert.strictEqual(namesOf(first), "b")
    assert.instanceOf(first.items[0]?.row, Product)
    assert.deepStrictEqual([first.put, first.removed, first.next], [first.items, [], undefined])
    yield* products.create({ id: a, name: "a", price: 1, category: "x" })
    yield* products.create({ id: c, name: "c", price: 9, category: "x" })
    const full = yield* until((page) => namesOf(page) === "a b" && page.next !== undefined)
    assert.strictEqual(full.items[1], first.items[0], "a record that did not change is another object")
    const listed = yield* products.list({
      where: [["category", "eq", "x"]],
      orderBy: [["price", "asc"]],
      limit: 2,
      cursor: full.next!
    })
    assert.deepStrictEqual(
      listed.items.map(({ row }) => row.name),
      ["c"]
    )
    yield* products.patch(a, { price: 7 })
    yield* until((page) => namesOf(page) === "b a")
    yield* products.patch(b, { category: "y" })
    yield* until((page) => namesOf(page) === "a c" && page.next === undefined)
    yield* products.delete(c)
    yield* until((page) => namesOf(page) === "a")
    yield* products.delete(a)
    yield* products.create({ id: a, name: "again", price: 7, category: "x" })
    const again = yield* until((page) => namesOf(page) === "again")
    assert.strictEqual(again.items[0]?.version, 4)
  }).pipe(Effect.scoped),

  "several pages are right at once, and one that is left does not disturb the others": Effect.gen(function* () {
    const products = yield* Repository.make(Product)
    const all = yield* open(products.live())
    yield* all.next
    yield* Effect.gen(function* () {
      const few = yield* open(products.live({ limit: 1, orderBy: [["name", "desc"]] }))
      yield* few.next
      yield* products.createAll([1, 2, 3].map((at) => ({ id: idAt(at), name: `n${at}`, price: at })))
      yield* few.until((page) => namesOf(page) === "n3")
    }).pipe(Effect.scoped)
    yield* all.until((page) => namesOf(page) === "n1 n2 n3")
    yield* products.delete(idAt(2))
    yield* all.until((page) => namesOf(page) === "n1 n3")
  }).pipe(Effect.scoped),

  "a page reflects the writes that were answered before it was asked for": Effect.gen(function* () {
    const products = yield* Repository.make(Product)
    for (const consistency of ["linearizable", "session"] as const) {
      yield* products.create({ name: consistency, price: 1 })
      const { next } = yield* open(products.live({ consistency, where: [["name", "eq", consistency]] }))
      assert.strictEqual(namesOf(yield* next), consistency)
    }
  }).pipe(Effect.scoped),

  "a local model, and local fields, are those of the node": Effect.gen(function* () {
    const { records } = yield* Repository.Repository
    const { row } = yield* records(Product).create({ name: "Anvil", price: 5 })
    const reviews = yield* open(records(Review).live() as never)
    yield* reviews.next
    yield* records(Review).create({ id: "r", productId: row.id, text: "Good", draft: "Bad" })
    yield* reviews.until(({ items }) => (items[0]?.row as { draft?: string } | undefined)?.draft === "Bad")
    const views = yield* open(records(View).live() as never)
    yield* views.next
    yield* records(View).create({ id: "v", html: "<p>" })
    yield* views.until(({ items, staleMs }) => items.length === 1 && staleMs === undefined)
  }).pipe(Effect.scoped),

  "options that no list takes are refused, and so are models that the node does not serve": Effect.gen(function* () {
    const { records } = yield* Repository.Repository
    const places = Effect.fnUntraced(function* (options: object) {
      const { kind, members } = yield* refusal(records(Product).live(options))
      return [kind, (members.errors as ReadonlyArray<{ readonly path: string }>).map(({ path }) => path)]
    })
    assert.deepStrictEqual(yield* places({ limit: 0 }), ["invalid-request", ["limit"]])
    assert.deepStrictEqual(yield* places({ countsTotal: true }), ["invalid-request", ["countsTotal"]])
    assert.deepStrictEqual(yield* places({ consistency: "never" }), ["invalid-request", ["consistency"]])
    assert.deepStrictEqual(yield* places({ cursor: "none" }), ["invalid-request", ["cursor"]])
    assert.deepInclude((yield* refusal(records(Elsewhere).live())).members, { served: false })
  })
}
