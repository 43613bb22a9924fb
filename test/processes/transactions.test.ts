/** Transfers between records by `_tx`, with lists meanwhile: money is never lost, doubled or seen under way. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Ref, Result } from "effect"
import { pause } from "./Pace.ts"
import { allReady, equalHash, eventually, expectThat, leaderOf, listAll, startCluster } from "./Processes.ts"

const clientCount = 8
const potCount = 20
const eachHolds = 100

it.live(
  "a transaction is done on all its records or on none, exactly once, and no list sees half of it, through kill -9 of the leader",
  () =>
    Effect.gen(function* () {
      const nodes = yield* startCluster(["node", "node", "node"])
      const pots = Array.from({ length: potCount }, (_, n) => ({ name: `pot ${n}`, price: String(eachHolds) }))
      const made = yield* nodes[0]!.request("POST", "/api/products/_bulk", { body: pots })
      assert.strictEqual(made.status, 201)
      const ids: ReadonlyArray<string> = made.body.map(({ id }: { id: string }) => id)
      const unexpected: Array<string> = []
      const isOver = yield* Ref.make(false)
      let doneCount = 0
      let conflictCount = 0
      let listCount = 0

      /** Sends the transfer again with its key, to the next node, until its outcome is known. */
      const send = Effect.fnUntraced(function* (ops: unknown, firstNode: number) {
        const options = { body: { ops }, headers: { "idempotency-key": crypto.randomUUID() }, timeoutMs: 4_000 }
        for (let attempt = 0; ; attempt++) {
          const node = nodes[(firstNode + attempt) % nodes.length]!
          const tried = yield* Effect.result(node.request("POST", "/api/_tx", options))
          if (Result.isFailure(tried)) continue
          const { body, status } = tried.success
          if (status === 200) doneCount++
          else if (status === 412) conflictCount++
          else if (status === 503 || status === 504) continue
          else unexpected.push(`${status} ${JSON.stringify(body)}`)
          return
        }
      })
      const transfer = Effect.fnUntraced(function* (number: number, count: number) {
        const node = nodes[(number + count) % nodes.length]!
        const [from, to] = [ids[(number * 7 + count * 3) % potCount]!, ids[(number * 7 + count * 3 + 1) % potCount]!]
        const read = yield* Effect.result(
          Effect.forEach([from, to], (id) => node.request("GET", `/api/products/${id}`, { timeoutMs: 4_000 }))
        )
        if (Result.isFailure(read) || read.success.some(({ status }) => status !== 200)) return
        const [payer, payee] = read.success.map(({ body, headers }) => ({
          held: Number(body.price),
          ifVersion: Number(headers.get("etag")?.slice(1, -1))
        }))
        if (payer!.held < 1) return
        const patch = (id: string, { ifVersion }: { readonly ifVersion: number }, price: number) => ({
          op: "patch",
          model: "Product",
          id,
          ifVersion,
          data: { price: String(price) }
        })
        yield* send([patch(from, payer!, payer!.held - 1), patch(to, payee!, payee!.held + 1)], number + count)
      })
      const client = Effect.fnUntraced(function* (number: number) {
        for (let count = 0; !(yield* Ref.get(isOver)); count++) {
          yield* transfer(number, count)
          yield* pause(clientCount)
        }
      })
      const sumOf = (items: ReadonlyArray<{ readonly price: string }>) =>
        items.reduce((sum, { price }) => sum + Number(price), 0)
      const reader = Effect.gen(function* () {
        while (!(yield* Ref.get(isOver))) {
          yield* pause(clientCount)
          const node = nodes[listCount % nodes.length]!
          const listed = yield* Effect.result(node.request("GET", "/api/products?limit=1000", { timeoutMs: 4_000 }))
          if (Result.isFailure(listed) || listed.success.status !== 200) continue
          listCount++
          const sum = sumOf(listed.success.body.items)
          if (sum !== potCount * eachHolds) unexpected.push(`a list sums up to ${sum}`)
        }
      })
      const more = (count: number) => {
        const target = doneCount + count
        const reached = Effect.suspend(() => expectThat(doneCount >= target, "transfers go on"))
        return eventually(`${count} more transfers are done`, reached, 30_000)
      }

      const fibers = yield* Effect.forEach(
        [reader, ...Array.from({ length: clientCount }, (_, number) => client(number))],
        (each) => Effect.forkChild(each)
      )
      for (let round = 0; round < 2; round++) {
        yield* more(50)
        const leader = yield* leaderOf(nodes)
        yield* leader.stop("SIGKILL")
        yield* more(50)
        yield* leader.start
        yield* allReady(nodes)
      }
      yield* Ref.set(isOver, true)
      yield* Effect.forEach(fibers, Fiber.join, { discard: true })

      assert.deepStrictEqual(unexpected, [])
      assert.isAbove(listCount, 20)
      yield* equalHash(nodes)
      for (const node of nodes) {
        const items = yield* listAll(node, "products")
        assert.strictEqual(
          sumOf(items as ReadonlyArray<{ readonly price: string }> & typeof items),
          potCount * eachHolds
        )
      }
      // Each transfer makes one version of two records, and nothing else does.
      const tags = yield* Effect.forEach(ids, (id) => nodes[0]!.request("GET", `/api/products/${id}`))
      const changes = tags.reduce((sum, { headers }) => sum + Number(headers.get("etag")?.slice(1, -1)) - 1, 0)
      assert.strictEqual(changes, 2 * doneCount, `${conflictCount} conflicts`)
    }).pipe(Effect.scoped),
  120_000
)
