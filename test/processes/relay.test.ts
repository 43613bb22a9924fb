/**
 * The reaction of examples/relay.ts into a real NATS stream, whose leaders and whose server are killed with -9: copies are
 * published, and the stream holds each event once, in the order of the log.
 */
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { jetstream } from "@nats-io/jetstream"
import { connect } from "@nats-io/transport-node"
import { Effect } from "effect"
import { startNats } from "../support/Nats.ts"
import { allReady, eventually, expectThat, leaderOf, listAll, startCluster } from "./Processes.ts"
import { placing } from "./Sales.ts"

const script = fileURLToPath(new URL("../../examples/relay.ts", import.meta.url))

const killsCount = 4

describe("a reaction that publishes into NATS", () => {
  it.live(
    "sends copies after its leaders die, and the stream holds each event once, in the order of the log",
    () =>
      Effect.gen(function* () {
        const server = yield* startNats
        const nodes = yield* startCluster(
          ["node", "node", "node"],
          () => Effect.succeed({ NATS_URL: server.url }),
          script
        )
        const connection = yield* Effect.acquireRelease(
          Effect.promise(() => connect({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 })),
          (connection) => Effect.promise(() => connection.close())
        )
        /** Everything that is published, copies too. */
        const published: Array<string> = []
        connection.subscribe("orders.>", {
          callback: (_, { headers }) => void published.push(headers?.get("Nats-Msg-Id") ?? "")
        })
        const more = () => {
          const goal = published.length + 100
          return eventually(
            "events are published",
            Effect.suspend(() => expectThat(published.length >= goal, `${published.length} of ${goal} are`)),
            60_000
          )
        }
        yield* placing(nodes, () =>
          Effect.gen(function* () {
            for (let kill = 0; kill < killsCount; kill++) {
              yield* more()
              const leader = yield* leaderOf(nodes)
              yield* leader.stop("SIGKILL")
              if (kill === 1) yield* server.kill
              yield* leader.start
              yield* allReady(nodes)
              if (kill === 1) yield* server.start
            }
            yield* more()
          })
        )
        const stored = Effect.promise(async () => {
          const stream = await jetstream(connection).streams.get("orders")
          const { state } = await stream.info()
          const ids: Array<string> = []
          for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
            ids.push((await stream.getMessage({ seq }))?.header.get("Nats-Msg-Id") ?? "")
          }
          return ids
        })
        // An order that was on its way when the last client ended may come yet.
        const ids = yield* eventually(
          "the stream has one message for each order",
          Effect.gen(function* () {
            const orders = yield* listAll(nodes[0]!, "orders")
            const ids = yield* stored
            yield* expectThat(ids.length === orders.length, `${ids.length} of ${orders.length} are there`)
            return ids
          }),
          60_000
        )
        assert.strictEqual(new Set(ids).size, ids.length, "each event once")
        const indexes = ids.map((id) => Number(id.split(".")[0]))
        assert.deepStrictEqual(
          indexes,
          indexes.toSorted((a, b) => a - b)
        )
        assert.isAbove(published.length, new Set(published).size, "copies were published")
      }).pipe(Effect.scoped),
    180_000
  )
})
