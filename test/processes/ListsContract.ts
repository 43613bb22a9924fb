/** Lists: filters, order, pages. A node refuses every parameter that it does not understand. docs/http.md, "Lists". */
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import type { Answer } from "./Processes.ts"
import { ask, assertPosition, assertProblem, makeProduct, type Served } from "./Served.ts"

const list = (query: string, path = "/api/products") => ask("GET", `${path}?${query}`)

/** Products of a category of their own, in the order in which they were made. */
const shelf = Effect.fnUntraced(function* (prices: ReadonlyArray<string>) {
  const category = `shelf-${crypto.randomUUID()}`
  const made = yield* Effect.forEach(prices, (price, at) => makeProduct({ name: `n${at}`, price, category }))
  return { category, items: made.map(({ body }) => body) }
})

const refused = [
  "limit=0",
  "limit=1001",
  "limit=-1",
  "limit=abc",
  "limit=1.5",
  "limit=1e2",
  "limit=",
  "limit=%2010",
  "limit=0x10",
  "limit=10&limit=10",
  "cursor=",
  "cursor=abc",
  "cursor=%00",
  "cursor=bnVsbA",
  "cursor=W10",
  "count=1",
  "count=",
  "order=",
  "order=color",
  "order=name.up",
  "order=name,name",
  "order=__proto__",
  "select=",
  "select=color",
  "select=name,,price",
  "color=eq.red",
  "__proto__=eq.1",
  "constructor=eq.1",
  "field.color=eq.1",
  "name",
  "name=",
  "name=Anvil",
  "name=eq",
  "name=is.true",
  "name=regex.x",
  "name=like.a%5Cb",
  "name=EQ.x",
  "price=eq.x",
  "price=gt.",
  "price=gt.NaN",
  "price=gt.Infinity",
  "price=in.1,x",
  'name=in."a',
  "price=lt.1e3",
  "id=eq.x",
  "page=2",
  "offset=10",
  "consistency=strong",
  "consistency=",
  "consistency=local&consistency=local",
  "max-stale=x",
  "max-stale=-1",
  "max-stale=1",
  "consistency=session&max-stale=1"
]

export const listsContract = (it: Vitest.MethodsNonLive<Served>): void => {
  it.effect("a list does not ignore a parameter that it does not understand: the answer is 400 and names it", () =>
    Effect.gen(function* () {
      for (const query of refused) {
        const met = yield* list(query)
        assertProblem(met, 400, "invalid-request", query)
        assert.isNotEmpty(met.body.errors, query)
      }
      const long = yield* list(`name=eq.${"a".repeat(10_000)}`)
      assert.deepStrictEqual([long.status, long.body.items], [200, []])
    })
  )

  it.effect("filters and orders a decimal by its value, and joins filters by AND", () =>
    Effect.gen(function* () {
      const { category, items } = yield* shelf(["9", "10.5", "100", "9.00", "0"])
      const names = (query: string) =>
        Effect.map(list(`category=eq.${category}&${query}`), ({ body }) =>
          body.items.map((it: { name: string }) => it.name)
        )
      assert.deepStrictEqual(yield* names("order=price.desc,name.asc"), ["n2", "n1", "n0", "n3", "n4"])
      assert.deepStrictEqual(yield* names("price=gt.9&order=price"), ["n1", "n2"])
      assert.deepStrictEqual(yield* names("price=gte.9&price=lt.10.50&order=name"), ["n0", "n3"])
      assert.deepStrictEqual(yield* names("price=in.9,100&order=name.desc"), ["n3", "n2", "n0"])
      assert.deepStrictEqual(yield* names("price=eq.-0"), ["n4"])
      assert.deepStrictEqual(yield* names("name=like.n*&name=neq.n1&order=name&limit=2"), ["n0", "n2"])
      assert.deepStrictEqual(yield* names("category=is.null"), [])
      const selected = yield* list(`category=eq.${category}&select=name&limit=1&order=name`)
      assert.deepStrictEqual(selected.body.items, [{ name: "n0" }])
      const counted = yield* list(`category=eq.${category}&count=exact&limit=1&order=name`)
      assert.deepStrictEqual([counted.body.total, counted.body.items], [5, [items[0]]])
      assert.isUndefined(selected.body.total)
    })
  )

  it.effect("a walk by cursor or by Link shows each record once, while others come and go", () =>
    Effect.gen(function* () {
      const { category, items } = yield* shelf(["3", "1", "2", "1", "3", "2", "1"])
      const query = `category=eq.${category}&order=price.desc&limit=2`
      const whole = yield* list(query.replace("limit=2", "limit=1000"))
      assert.deepStrictEqual([whole.body.items.length, whole.body.next, whole.headers.get("link")], [7, null, null])
      const walked: Array<unknown> = []
      let page = yield* list(query)
      while (true) {
        walked.push(...page.body.items)
        yield* makeProduct({ category, price: "500" })
        const link = page.headers.get("link")
        if (page.body.next === null) {
          assert.isNull(link)
          break
        }
        assertPosition(page)
        assert.isAtMost(page.body.items.length, 2)
        const [, target] = /^<(\/api\/products\?[^>]+)>; rel="next"$/.exec(link ?? "") ?? []
        assert.isDefined(target, String(link))
        const byCursor = yield* list(`${query}&cursor=${encodeURIComponent(page.body.next)}`)
        page = yield* ask("GET", target)
        assert.deepStrictEqual(byCursor.body, page.body)
      }
      assert.deepStrictEqual(walked, whole.body.items)
      assert.strictEqual(walked.length, items.length)
    })
  )

  it.effect("a cursor belongs to its list: with another filter, order or model it is 400", () =>
    Effect.gen(function* () {
      const { category } = yield* shelf(["1", "2", "3"])
      const { body } = yield* list(`category=eq.${category}&limit=1`)
      const cursor = `cursor=${encodeURIComponent(body.next)}`
      assert.strictEqual((yield* list(`category=eq.${category}&limit=2&${cursor}`)).body.items.length, 2)
      for (const foreign of [
        yield* list(cursor),
        yield* list(`category=eq.${category}&order=price&${cursor}`),
        yield* list(`category=eq.${category}&name=neq.x&${cursor}`),
        yield* list(cursor, "/api/users"),
        yield* list(`category=eq.${category}&${cursor}x`)
      ]) {
        assertProblem(foreign, 400, "invalid-request")
      }
    })
  )

  it.effect("a page of large records is cut and followed by the rest, and no text is too long to be walked by id", () =>
    Effect.gen(function* () {
      const category = `large-${crypto.randomUUID()}`
      const names = Array.from({ length: 12 }, (_, at) => String.fromCharCode(97 + at).repeat(1_000_000))
      for (const name of names) yield* makeProduct({ name, category })
      const walked: Array<string> = []
      let pages = 0
      for (let cursor: string | null = ""; cursor !== null; pages++) {
        const query: string = `category=eq.${category}&limit=1000${cursor && `&cursor=${cursor}`}`
        const { body, status }: Answer = yield* list(query)
        assert.strictEqual(status, 200)
        walked.push(...body.items.map((it: { name: string }) => it.name))
        cursor = body.next
      }
      assert.deepStrictEqual([walked.length, pages], [12, 2])
      assert.isTrue(walked.every((name, at) => name === names[at]))
      const byName = yield* list(`category=eq.${category}&order=name&limit=2`)
      assertProblem(byName, 400, "invalid-request")
      assert.strictEqual((yield* list(`category=eq.${category}&order=name&limit=12&select=id`)).status, 200)
      const { body } = yield* list(`category=eq.${category}&select=id`)
      for (const { id } of body.items) yield* ask("DELETE", `/api/products/${id}`)
    })
  )

  it.effect("a list of no records is an empty page, of a node-local model too", () =>
    Effect.gen(function* () {
      for (const path of ["/api/products", "/api/users", "/api/product-views"]) {
        const { body, status } = yield* list(`id=eq.${crypto.randomUUID()}&count=exact`, path)
        assert.deepStrictEqual([status, body], [200, { items: [], next: null, total: 0 }])
      }
    })
  )
}
