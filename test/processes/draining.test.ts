/** A node that is told to stop answers the requests that wait before it goes, and says no more than it knows. docs/http.md, "Problems". */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch } from "effect"
import {
  type Answer,
  allReady,
  eventually,
  expectThat,
  leaderOf,
  listAll,
  startCluster,
  type TestNode
} from "./Processes.ts"
import { askRaw } from "./Raw.ts"
import { converse } from "./raw/Connection.ts"
import { post } from "./raw/Input.ts"

const bodyOf = (name: string) => ({ name, price: "1" })

/**
 * Waits until a node has begun these requests, which the operating system has already. It reads what has come before it
 * takes the connections that come later, and a request on a new one.
 */
const hasBegun = (node: TestNode) =>
  Effect.forEach([1, 2, 3], () => askRaw(node, { path: "/livez", headers: { connection: "close" } }))

/** Sends writes and reads that have to wait to `node`, and tells it to stop while they are under way. */
const stopDuringRequests = Effect.fnUntraced(function* (node: TestNode) {
  const key = crypto.randomUUID()
  const json = { "content-type": "application/json" }
  const write = (name: string, headers = {}) => ({
    method: "POST",
    path: "/api/products",
    pieces: [JSON.stringify(bodyOf(name))],
    headers: { ...json, ...headers }
  })
  const sent = yield* Latch.make(false)
  let unsentCount = 4
  const onSent = () => {
    unsentCount -= 1
    if (unsentCount === 0) sent.openUnsafe()
  }
  const requests = yield* Effect.forkChild(
    Effect.all(
      [
        askRaw(node, { ...write("keyed", { "idempotency-key": key }), onSent }),
        askRaw(node, { ...write("unkeyed"), onSent }),
        askRaw(node, { path: "/api/products", onSent }),
        askRaw(node, {
          path: "/api/products?consistency=session",
          headers: { "lithair-min-index": "1000000" },
          onSent
        })
      ],
      { concurrency: "unbounded" }
    )
  )
  yield* sent.await
  yield* hasBegun(node)
  const stoppedAtMs = performance.now()
  const stopping = yield* Effect.forkChild(node.stop("SIGTERM"))
  yield* eventually(
    "the node says that it drains",
    Effect.tap(node.request("GET", "/readyz", { timeoutMs: 1000 }), ({ status }) =>
      expectThat(status === 503, "it is not ready")
    )
  )
  const asked = yield* node.request("GET", `/api/_operations/${key}`)
  assert.deepStrictEqual([asked.status, asked.body.type], [503, "urn:lithair:problem:draining"])
  const [keyed, unkeyed, linearizable, session] = yield* Fiber.join(requests)
  assert.deepStrictEqual([linearizable.status, linearizable.body?.type], [503, "urn:lithair:problem:draining"])
  assert.deepStrictEqual([session.status, session.body?.type], [503, "urn:lithair:problem:not-caught-up"])
  assert.strictEqual(yield* Fiber.join(stopping), 0)
  assert.isBelow(performance.now() - stoppedAtMs, 5_000, "it ends within a few seconds")
  return { key, keyed, unkeyed }
})

const expectUnknown = ({ body, headers, status }: Answer, node: TestNode) => {
  assert.deepStrictEqual(
    [status, body?.type, body?.definite],
    [504, "urn:lithair:problem:unknown-outcome", false],
    JSON.stringify(body)
  )
  assert.strictEqual(headers.get("content-type"), "application/problem+json")
  assert.strictEqual(headers.get("lithair-node"), node.id)
  assert.strictEqual(body.operation, `/api/_operations/${encodeURIComponent(body.key)}`)
}

/** The key that a 504 names gives a final outcome in the end. */
const expectTold = (node: TestNode, { body }: Answer) =>
  eventually(
    "the outcome of a write is known",
    Effect.tap(node.request("GET", body.operation), ({ body: { state } }) =>
      expectThat(state === "committed" || state === "absent", `it is ${state}`)
    )
  )

describe("a node that is told to stop", () => {
  it.live(
    "as the leader answers 504, with a key, what it has proposed and cannot commit: it may still be done (C18)",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(["node", "node", "node"])
        const leader = yield* leaderOf(nodes)
        const others = nodes.filter((node) => node !== leader)
        for (const node of others) yield* node.signal("SIGSTOP")
        const { key, keyed, unkeyed } = yield* stopDuringRequests(leader)
        for (const answer of [keyed, unkeyed]) expectUnknown(answer, leader)
        assert.strictEqual(keyed.body.key, key)
        for (const node of others) yield* node.signal("SIGCONT")
        yield* leader.start
        yield* allReady(nodes)
        for (const answer of [keyed, unkeyed]) yield* expectTold(others[0]!, answer)
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "as a follower waits for what it has forwarded, and answers 504 for what the leader has not answered (C18)",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(["node", "node", "node"], () =>
          // The leader hangs for less than an election takes.
          Effect.succeed({ LITHAIR_ELECTION_TIMEOUT_MS: "5000" })
        )
        const leader = yield* leaderOf(nodes)
        const [follower, other] = nodes.filter((node) => node !== leader)
        yield* leader.signal("SIGSTOP")
        const { key, keyed, unkeyed } = yield* stopDuringRequests(follower!)
        for (const answer of [keyed, unkeyed]) expectUnknown(answer, follower!)
        assert.strictEqual(keyed.body.key, key)
        yield* leader.signal("SIGCONT")
        for (const answer of [keyed, unkeyed]) yield* expectTold(other!, answer)
      }).pipe(Effect.scoped),
    60_000
  )

  for (const runtime of ["node", "bun", "deno"] as const) {
    it.live(
      `answers what comes on new connections meanwhile, or resets them unread, on ${runtime} (issue 9.16)`,
      () =>
        Effect.gen(function* () {
          const [node] = (yield* startCluster([runtime])) as [TestNode]
          /** Writes a record on a connection of its own, after a silence. */
          const write = (name: string, silence?: { readonly end: Promise<void>; readonly onConnected: () => void }) =>
            converse({
              port: node.port,
              steps: [
                ...(silence === undefined ? [] : [{ until: silence.end }]),
                post(JSON.stringify({ name, price: "1" }))
              ],
              isEnough: ({ answers }) => answers.length > 0,
              timeoutMs: 10_000,
              ...(silence === undefined ? {} : { onConnected: silence.onConnected })
            }).pipe(Effect.map((heard) => ({ name, ...heard })))
          const connections = Array.from({ length: 16 }, () => ({
            connected: Promise.withResolvers<void>(),
            silence: Promise.withResolvers<void>()
          }))
          const silent = yield* Effect.forkChild(
            Effect.forEach(
              connections,
              ({ connected, silence }, at) =>
                write(`silent ${at}`, { end: silence.promise, onConnected: connected.resolve }),
              { concurrency: "unbounded" }
            )
          )
          yield* Effect.promise(() => Promise.all(connections.map(({ connected }) => connected.promise)))
          const stopping = yield* Effect.forkChild(node.stop("SIGTERM"))
          // One silence ends with each write on a new connection: some while the node stops, the others after it.
          const fresh: Array<Effect.Success<ReturnType<typeof write>>> = []
          while (stopping.pollUnsafe() === undefined) {
            connections[fresh.length]?.silence.resolve()
            fresh.push(yield* write(`fresh ${fresh.length}`))
          }
          for (const { silence } of connections) silence.resolve()
          const heard = [...(yield* Fiber.join(silent)), ...fresh]
          yield* node.start
          yield* allReady([node])
          const written = new Set((yield* listAll(node, "products")).map(({ name }) => name))
          for (const { answers, end, name } of heard) {
            const said = `${name}: [${answers.join(", ")}] ${end}`
            assert.include(["201", "503 draining", ""], answers.join(", "), said)
            assert.strictEqual(written.has(name), answers[0] === "201", said)
            if (name.startsWith("silent")) assert.isTrue(answers.length === 1 || end === "reset", said)
          }
        }).pipe(Effect.scoped),
      60_000
    )
  }
})
