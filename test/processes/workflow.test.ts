/** The example of workflows as three processes: its runner is killed, stopped and asked to stop in the middle of an order. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { freePort } from "../support/freePort.ts"
import { eventually, expectThat } from "./Processes.ts"
import { ask, type Program, post, startProgram, temporaryDirectory, whenOk } from "./Programs.ts"

interface Node {
  readonly port: number
  readonly program: Program
}

/** How long the carrier of the example takes in these tests. */
const carrierMs = 2_500

const start = Effect.gen(function* () {
  const cwd = yield* temporaryDirectory
  const ports = yield* Effect.forEach(Array.from({ length: 3 }), () => freePort)
  const nodes = yield* Effect.forEach(ports, (port) =>
    Effect.gen(function* () {
      const peers = ports.filter((each) => each !== port).join(",")
      const args = ["--port", String(port), "--peers", peers, "--data", `${cwd}/${port}`]
      const environment = { RUNNER_PORT: String(yield* freePort), CARRIER_MS: String(carrierMs) }
      const script = "examples/workflow/main.ts"
      const program = yield* startProgram({ runtime: "node", script, args, environment, cwd })
      return { port, program }
    })
  )
  yield* Effect.forEach(nodes, ({ port, program }) => whenOk(program, port, "/readyz"))
  return nodes
})

const saidBy = (nodes: ReadonlyArray<Node>) =>
  nodes.map(({ port, program }) => `${port}: ${program.output()}`).join("\n")

/** Waits until a node says this. */
const sayer = (nodes: ReadonlyArray<Node>, text: string) =>
  eventually(
    () => `a node says "${text}"; they said ${saidBy(nodes)}`,
    Effect.suspend(() => {
      const found = nodes.find(({ program }) => program.output().includes(text))
      return found === undefined ? Effect.fail("nobody") : Effect.succeed(found)
    }),
    40_000
  )

const countOf = (nodes: ReadonlyArray<Node>, text: string) =>
  nodes.reduce((sum, { program }) => sum + program.output().split(text).length - 1, 0)

const place = (node: Node, id: string, city: string) =>
  eventually(
    `the order ${id} is placed`,
    Effect.flatMap(post(node.port, "/orders", { id, cents: 100, city }), ({ status, text }) =>
      expectThat(status === 202, `it is taken: ${status} ${text}`)
    ),
    30_000
  )

const stateOf = (node: Node, id: string) =>
  Effect.map(
    ask(node.port, `/orders/${id}`),
    ({ text }) => JSON.parse(text) as { readonly state: string; readonly parcel?: string }
  )

const reaches = (nodes: ReadonlyArray<Node>, id: string, state: string) =>
  eventually(
    () => `the order ${id} is ${state}; they said ${saidBy(nodes)}`,
    Effect.flatMap(stateOf(nodes[0]!, id), (found) => Effect.as(expectThat(found.state === state, found.state), found)),
    40_000
  )

describe("the example of workflows", () => {
  it.live(
    "goes on elsewhere after kill -9 in the middle of a step, runs no finished step again, and pays back what cannot be shipped",
    () =>
      Effect.gen(function* () {
        const nodes = yield* start
        yield* place(nodes[0]!, "a", "Paris")
        const runner = yield* sayer(nodes, "Order a: the carrier is asked")
        yield* runner.program.signal("SIGKILL")
        const left = nodes.filter((node) => node !== runner)
        // Placing it again is the same order.
        yield* place(left[0]!, "a", "Paris")
        yield* reaches(left, "a", "shipped")
        assert.strictEqual(countOf(nodes, "Order a: 100 cents are charged"), 1, saidBy(nodes))
        assert.strictEqual(countOf(nodes, "Order a: the carrier has it"), 1, saidBy(nodes))

        yield* place(left[1]!, "b", "Atlantis")
        yield* reaches(left, "b", "paid back")
        const { text } = yield* ask(left[0]!.port, "/api/payments/b")
        assert.strictEqual(JSON.parse(text).state, "refunded", text)
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "drops the result of a runner that was stopped until another one had finished",
    () =>
      Effect.gen(function* () {
        const nodes = yield* start
        yield* place(nodes[0]!, "a", "Paris")
        const runner = yield* sayer(nodes, "Order a: the carrier is asked")
        yield* runner.program.signal("SIGSTOP")
        const left = nodes.filter((node) => node !== runner)
        const { parcel } = yield* reaches(left, "a", "shipped")
        yield* runner.program.signal("SIGCONT")
        yield* eventually(
          () => `the stopped node serves again; it said ${runner.program.output()}`,
          Effect.flatMap(stateOf(runner, "a"), (found) => expectThat(found.parcel === parcel, JSON.stringify(found))),
          30_000
        )
        // The three of them share the orders again, and the first result stays.
        yield* place(runner, "b", "Rome")
        yield* reaches(nodes, "b", "shipped")
        for (const node of nodes) assert.strictEqual((yield* stateOf(node, "a")).parcel, parcel)
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "ends in order in the middle of a step, and the order goes on elsewhere without a finished step again",
    () =>
      Effect.gen(function* () {
        const nodes = yield* start
        yield* place(nodes[0]!, "a", "Paris")
        const runner = yield* sayer(nodes, "Order a: the carrier is asked")
        yield* runner.program.signal("SIGTERM")
        assert.strictEqual(yield* runner.program.ended, 0, runner.program.output())
        const left = nodes.filter((node) => node !== runner)
        yield* reaches(left, "a", "shipped")
        assert.strictEqual(countOf(nodes, "Order a: 100 cents are charged"), 1, saidBy(nodes))
      }).pipe(Effect.scoped),
    120_000
  )
})
