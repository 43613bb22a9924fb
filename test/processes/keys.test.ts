/** Clients that send each write again, with its key and to another node, until it is answered: while the leader is killed. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Ref, Result } from "effect"
import { pause } from "./Pace.ts"
import { allReady, equalHash, eventually, expectThat, leaderOf, listAll, startCluster } from "./Processes.ts"

const clientCount = 12

it.live(
  "a keyed write that is sent again until it is answered is done exactly once, through kill -9 of the leader (C17)",
  () =>
    Effect.gen(function* () {
      const nodes = yield* startCluster(["node", "node", "node"])
      const acknowledged = new Map<string, string>()
      const unexpected: Array<string> = []
      const isOver = yield* Ref.make(false)

      const writeOnce = Effect.fnUntraced(function* (name: string, firstNode: number) {
        const options = { body: { name, price: "1" }, headers: { "idempotency-key": name }, timeoutMs: 4_000 }
        for (let attempt = 0; !acknowledged.has(name); attempt++) {
          const node = nodes[(firstNode + attempt) % nodes.length]!
          const tried = yield* Effect.result(node.request("POST", "/api/products", options))
          if (Result.isFailure(tried)) continue
          const { body, status } = tried.success
          if (status === 201) acknowledged.set(name, body.id)
          else if (status !== 503 && status !== 504) {
            unexpected.push(`${status} ${JSON.stringify(body)}`)
            return
          }
        }
      })
      const client = Effect.fnUntraced(function* (number: number) {
        for (let count = 0; !(yield* Ref.get(isOver)); count++) {
          yield* writeOnce(`${number}-${count}`, number + count)
          yield* pause(clientCount)
        }
      })
      const moreWrites = (count: number) => {
        const target = acknowledged.size + count
        const reached = Effect.suspend(() => expectThat(acknowledged.size >= target, "writes go on"))
        return eventually(`${count} more writes are acknowledged`, reached, 30_000)
      }

      const clients = yield* Effect.forEach(Array.from({ length: clientCount }).keys(), (number) =>
        Effect.forkChild(client(number))
      )
      for (let round = 0; round < 2; round++) {
        yield* moreWrites(100)
        const leader = yield* leaderOf(nodes)
        yield* leader.stop("SIGKILL")
        yield* moreWrites(100)
        yield* leader.start
        yield* allReady(nodes)
      }
      yield* Ref.set(isOver, true)
      yield* Effect.forEach(clients, Fiber.join, { discard: true })

      assert.deepStrictEqual(unexpected, [])
      yield* equalHash(nodes)
      const items = yield* listAll(nodes[0]!, "products")
      const ids = Map.groupBy(items, ({ name }) => name)
      const repeated = [...ids].filter(([, each]) => each.length > 1).map(([name]) => name)
      assert.deepStrictEqual(repeated, [], "writes were done twice")
      const other = [...acknowledged].filter(([name, id]) => ids.get(name)?.[0]?.id !== id)
      assert.deepStrictEqual(other, [], "acknowledged writes are lost, or are others than was said")
      assert.strictEqual(items.length, acknowledged.size)
    }).pipe(Effect.scoped),
  120_000
)

it.live(
  "a write without a key whose outcome is unknown is told one: by it every node says what became, and a copy is done once, through kill -9 and restarts (C17, C18)",
  () =>
    Effect.gen(function* () {
      const nodes = yield* startCluster(["node", "node", "node"])
      const names = { sent: crypto.randomUUID(), closed: crypto.randomUUID() }
      const bodyOf = (name: string) => ({ name, price: "1" })
      const leader = yield* leaderOf(nodes)
      const others = nodes.filter((node) => node !== leader)
      for (const node of others) yield* node.signal("SIGSTOP")
      const unknown = yield* Effect.forEach(
        [names.sent, names.closed],
        (name) => leader.request("POST", "/api/products", { body: bodyOf(name) }),
        { concurrency: "unbounded" }
      )
      for (const { body, status } of unknown) {
        assert.deepStrictEqual([status, body.definite], [504, false], JSON.stringify(body))
        assert.strictEqual(body.operation, `/api/_operations/${encodeURIComponent(body.key)}`)
      }
      const [sent, closed] = unknown.map(({ body }) => ({ key: body.key, operation: body.operation }))
      const alone = yield* leader.request("GET", sent!.operation)
      assert.deepStrictEqual([alone.status, alone.body.type], [503, "urn:lithair:problem:no-quorum"])
      for (const node of others) yield* node.signal("SIGCONT")
      yield* allReady(nodes)

      // The one is sent again, by its key; the other is ended, unless it was done.
      const headers = { "idempotency-key": sent!.key }
      const copies = yield* Effect.forEach(nodes, (node) =>
        eventually(
          "a copy is answered",
          Effect.tap(node.request("POST", "/api/products", { body: bodyOf(names.sent), headers }), ({ body, status }) =>
            expectThat(status === 201, `${status} ${JSON.stringify(body)}`)
          )
        )
      )
      const ended = yield* others[0]!.request("DELETE", closed!.operation)
      assert.strictEqual(ended.status, 200, JSON.stringify(ended.body))
      const isDone = ended.body.state === "committed"
      assert.include(["committed", "absent"], ended.body.state)

      const hold = Effect.gen(function* () {
        for (const node of nodes) {
          const asked = yield* node.request("GET", sent!.operation)
          assert.deepStrictEqual(asked.body, { state: "committed", status: 201, body: copies[0]!.body })
          const copy = yield* node.request("POST", "/api/products", { body: bodyOf(names.sent), headers })
          assert.deepStrictEqual([copy.status, copy.body], [201, copies[0]!.body])
          assert.strictEqual(copy.headers.get("idempotent-replayed"), "true")
          const other = yield* node.request("POST", "/api/products", { body: bodyOf("another"), headers })
          assert.deepStrictEqual([other.status, other.body.type], [422, "urn:lithair:problem:key-reused"])
          const late = yield* node.request("POST", "/api/products", {
            body: bodyOf(names.closed),
            headers: { "idempotency-key": closed!.key }
          })
          assert.strictEqual(late.status, isDone ? 201 : 409, JSON.stringify(late.body))
          if (!isDone) assert.strictEqual(late.body.type, "urn:lithair:problem:operation-closed")
        }
        const items = yield* listAll(nodes[0]!, "products")
        const countOf = (name: string) => items.filter((each) => each.name === name).length
        assert.deepStrictEqual([countOf(names.sent), countOf(names.closed)], [1, isDone ? 1 : 0])
      })

      yield* hold
      const last = yield* leaderOf(nodes)
      yield* last.stop("SIGKILL")
      yield* eventually(
        "a survivor leads",
        Effect.forEach(
          nodes.filter((node) => node !== last),
          (node) =>
            Effect.tap(node.request("GET", sent!.operation), ({ status }) => expectThat(status === 200, "it knows"))
        )
      )
      yield* last.start
      yield* allReady(nodes)
      yield* hold
      for (const node of nodes) yield* node.stop("SIGKILL")
      for (const node of nodes) yield* node.start
      yield* allReady(nodes)
      yield* hold
      yield* equalHash(nodes)
    }).pipe(Effect.scoped),
  120_000
)

it.live(
  "local fields of a write of unknown outcome are kept by the copy that is told of it, with a key of either kind (D4)",
  () =>
    Effect.gen(function* () {
      const nodes = yield* startCluster(["node", "node", "node"])
      const leader = yield* leaderOf(nodes)
      const others = nodes.filter((node) => node !== leader)
      const [own, assigned, tx] = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()]
      const bodyOf = (id: string) => ({ email: `${id}@example.org`, cacheData: "mine" })
      const pathOf = (id: string) => `/api/users/${id}`
      const ops = [{ op: "create", model: "User", data: { id: tx, ...bodyOf(tx) } }]
      const writes = [
        { id: own, method: "PUT", path: pathOf(own), body: bodyOf(own), key: own },
        { id: assigned, method: "PUT", path: pathOf(assigned), body: bodyOf(assigned), key: undefined },
        { id: tx, method: "POST", path: "/api/_tx", body: { ops }, key: tx }
      ]
      for (const node of others) yield* node.signal("SIGSTOP")
      const unknown = yield* Effect.forEach(
        writes,
        ({ body, key, method, path }) =>
          leader.request(method, path, { body, ...(key === undefined ? {} : { headers: { "idempotency-key": key } }) }),
        { concurrency: "unbounded" }
      )
      for (const { body, status } of unknown) assert.strictEqual(status, 504, JSON.stringify(body))
      for (const node of others) yield* node.signal("SIGCONT")
      yield* allReady(nodes)
      for (const [at, { body, id, method, path }] of writes.entries()) {
        const headers = { "idempotency-key": unknown[at]!.body.key }
        for (const node of [leader, ...others, leader]) {
          const copy = yield* eventually(
            "a copy is answered",
            Effect.tap(node.request(method, path, { body, headers }), ({ status }) =>
              expectThat(status === 201 || (path === "/api/_tx" && status === 200), "it is done")
            )
          )
          assert.isNull(copy.headers.get("lithair-local"))
          const record = copy.body.results?.[0].record ?? copy.body
          assert.deepStrictEqual(record, { id, ...bodyOf(id) })
          assert.deepStrictEqual((yield* node.request("GET", pathOf(id))).body, record)
        }
      }
    }).pipe(Effect.scoped),
  60_000
)
