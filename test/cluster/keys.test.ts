/** Clients that send each write again, with its key and to another node, until it is answered: while the leader is killed. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Ref, Result } from "effect"
import { allReady, equalHash, eventually, expectThat, leaderOf, listAll, startCluster } from "./Processes.ts"

const clientCount = 12

it.live(
  "a keyed write that is sent again until it is answered is done exactly once, through kill -9 of the leader (RAFT C17)",
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
        for (let count = 0; !(yield* Ref.get(isOver)); count++) yield* writeOnce(`${number}-${count}`, number + count)
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
