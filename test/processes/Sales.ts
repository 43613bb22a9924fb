/** Places orders on a cluster of nodes with projections while a test harms it. */
import { Effect, Fiber, Random } from "effect"
import { pause } from "./Pace.ts"
import type { TestNode } from "./Processes.ts"

/** An order that a node has acknowledged, and the entry that holds it. */
export interface Placed {
  readonly id: string
  readonly customer: string
  readonly cents: number
  readonly index: number
}

const clientCount = 4
const customers = ["ann", "bob", "cay", "dan"]

/** Places orders from several clients, each on any node that runs, until `use` is over. Gives the acknowledged orders. */
export const placing = <A, E, R>(
  nodes: ReadonlyArray<TestNode>,
  use: (placed: ReadonlyArray<Placed>) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function* () {
    const placed: Array<Placed> = []
    const client = Effect.gen(function* () {
      const cents = yield* Random.nextIntBetween(1, 100)
      const customer = customers[yield* Random.nextIntBetween(0, customers.length - 1)]!
      const running = nodes.filter((node) => node.isRunning())
      const node = running[yield* Random.nextIntBetween(0, running.length - 1)]
      if (node === undefined) return yield* Effect.sleep(20)
      const order = { id: crypto.randomUUID(), customer, cents }
      const { headers, status } = yield* node.request("POST", "/api/orders", { body: order })
      if (status === 201) placed.push({ ...order, index: Number(headers.get("lithair-index")) })
      else yield* Effect.sleep(20)
      yield* pause(clientCount)
    }).pipe(
      // The node that was asked has died: the order may be there or not.
      Effect.catchTag("NoAnswer", () => Effect.sleep(20)),
      Effect.forever
    )
    const clients = yield* Effect.forkChild(Effect.replicateEffect(client, clientCount, { concurrency: "unbounded" }))
    const result = yield* use(placed)
    yield* Fiber.interrupt(clients)
    return { placed, result }
  })

/** The spending of each customer, by key. */
export const spentOf = (orders: ReadonlyArray<{ readonly customer: string; readonly cents: number }>) => {
  const spent: Record<string, { readonly orders: number; readonly cents: number }> = {}
  for (const { cents, customer } of orders) {
    const before = spent[customer] ?? { orders: 0, cents: 0 }
    spent[customer] = { orders: before.orders + 1, cents: before.cents + cents }
  }
  return spent
}

/** The states of the keyed projection `spent` as this node answers them, and the index that they reflect. */
export const readSpent = Effect.fnUntraced(function* (node: TestNode, query = "") {
  const { body, headers, status } = yield* node.request("GET", `/api/_projections/spent${query}`)
  if (status !== 200) return yield* Effect.fail(new Error(`spent answered ${status}: ${JSON.stringify(body)}`))
  const items: ReadonlyArray<{ readonly key: string; readonly value: unknown }> = body.items
  return {
    spent: Object.fromEntries(items.map(({ key, value }) => [key, value])),
    index: Number(headers.get("lithair-index"))
  }
})
