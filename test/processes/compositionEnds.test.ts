/**
 * How a node ends, in each composition: told to stop under load it answers with a result or a problem, never with less,
 * and exits with 0; when its disk fails it exits with an error at once.
 * `LITHAIR_STOP_ROUNDS` says how often each composition is stopped.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { eventually, expectThat, freePort } from "./Processes.ts"
import { ask, type Program, startProgram, temporaryDirectory, whenOk } from "./Programs.ts"

const roundsCount = Number(process.env.LITHAIR_STOP_ROUNDS ?? 2)

interface Ports {
  readonly client: number
  readonly peer: number
}

interface Composition {
  readonly name: string
  readonly script: string
  /** Whether peers and health have a port of their own. */
  readonly isSplit: boolean
  readonly args: (own: Ports, others: ReadonlyArray<Ports>) => ReadonlyArray<string>
  readonly products: string
  /** Routes of the application's own, which are under load too. */
  readonly own?: ReadonlyArray<string>
}

const peersOf = (others: ReadonlyArray<Ports>): string => others.map(({ peer }) => peer).join(",")

const flags = ({ client }: Ports, others: ReadonlyArray<Ports>) => [
  "--port",
  String(client),
  ...(others.length === 0 ? [] : ["--peers", peersOf(others)]),
  "--data",
  `data-${client}`
]

const compositions: ReadonlyArray<Composition> = [
  {
    name: "layerHttp",
    script: "examples/compose/hello.ts",
    isSplit: false,
    args: flags,
    products: "/api/products"
  },
  {
    name: "own routes beside the derived ones, behind a guard",
    script: "examples/compose/own.ts",
    isSplit: false,
    args: flags,
    products: "/v1/api/products",
    own: ["/hello", "/shop/total"]
  },
  {
    name: "two servers",
    script: "examples/compose/admin.ts",
    isSplit: true,
    args: (own, others) => [String(own.client), String(own.peer), peersOf(others)],
    products: "/api/products"
  }
]

const portsOf = Effect.fnUntraced(function* ({ isSplit }: Composition) {
  const client = yield* freePort
  return { client, peer: isSplit ? yield* freePort : client }
})

const headers = { "content-type": "application/json", authorization: "Bearer secret" }

/** Writes and reads one after the other until the node is gone; gives the answers that are neither a result nor a problem. */
const load = (composition: Composition, { client }: Ports, program: { readonly hasEnded: () => boolean }) =>
  Effect.gen(function* () {
    const bare: Array<string> = []
    let answeredCount = 0
    const reads = [`${composition.products}?limit=1`, ...(composition.own ?? [])]
    for (let at = 0; !program.hasEnded(); at++) {
      const body = JSON.stringify({ name: `n${at}`, stock: 1 })
      const write = ask(client, composition.products, { method: "POST", headers, body })
      const read = ask(client, reads[(at >> 1) % reads.length] ?? "", { headers })
      // A connection that the node refuses or resets is no answer.
      const answer = yield* Effect.option(at % 2 === 0 ? write : read)
      if (answer._tag === "None") continue
      answeredCount += 1
      const { headers: answered, status, text } = answer.value
      const isProblem = answered.get("content-type") === "application/problem+json" && text !== ""
      if (status >= 300 && !isProblem) bare.push(`${status} ${text}`)
    }
    return { bare, answeredCount }
  })

interface Running {
  readonly ports: Ports
  readonly program: Program
}

const leads = ({ ports }: Running) =>
  Effect.map(ask(ports.peer, "/_admin/api/cluster"), ({ text }) => JSON.parse(text).role === "leader")

/** The node that leads, and one that follows. */
const rolesOf = (nodes: ReadonlyArray<Running>) =>
  eventually(
    "one node leads",
    Effect.gen(function* () {
      const leading = yield* Effect.forEach(nodes, leads)
      const leader = nodes[leading.indexOf(true)]
      const follower = nodes[leading.indexOf(false)]
      if (leader === undefined || follower === undefined) return yield* Effect.fail("no leader")
      return { leader, follower }
    })
  )

describe("a node that is told to stop under load", () => {
  for (const composition of compositions) {
    it.live(
      `answers with a result or a problem: ${composition.name}`,
      () =>
        Effect.gen(function* () {
          const cwd = yield* temporaryDirectory
          const ports = yield* Effect.forEach([1, 2, 3], () => portsOf(composition))
          const start = (own: Ports) => {
            const others = ports.filter((each) => each !== own)
            const { script } = composition
            return Effect.map(
              startProgram({ runtime: "node", isBundled: true, script, args: composition.args(own, others), cwd }),
              (program): Running => ({ ports: own, program })
            )
          }
          const nodes = yield* Effect.forEach(ports, start)
          for (let round = 0; round < roundsCount; round++) {
            for (const node of nodes) yield* whenOk(node.program, node.ports.peer, "/readyz")
            const roles = yield* rolesOf(nodes)
            const node = round % 2 === 0 ? roles.leader : roles.follower
            let hasEnded = false
            const clients = yield* Effect.forEach(Array.from({ length: 8 }), () =>
              Effect.forkChild(load(composition, node.ports, { hasEnded: () => hasEnded }))
            )
            yield* eventually(
              "the node is under load",
              Effect.flatMap(ask(node.ports.client, composition.products, { headers }), ({ text }) =>
                expectThat((JSON.parse(text).items?.length ?? 0) > 20, "it has written")
              )
            )
            yield* node.program.signal("SIGTERM")
            const code = yield* node.program.ended
            hasEnded = true
            assert.strictEqual(code, 0, node.program.output())
            const told = yield* Effect.forEach(clients, Fiber.join)
            assert.deepStrictEqual(
              told.flatMap(({ bare }) => bare),
              [],
              `round ${round}`
            )
            nodes[nodes.indexOf(node)] = yield* start(node.ports)
          }
        }).pipe(Effect.scoped),
      30_000 + roundsCount * 20_000
    )
  }
})

describe("a node whose disk fails", () => {
  for (const composition of compositions) {
    it.live(`exits with an error within a second: ${composition.name}`, () =>
      Effect.gen(function* () {
        const cwd = yield* temporaryDirectory
        const ports = yield* portsOf(composition)
        const program = yield* startProgram({
          runtime: "node",
          isBundled: true,
          runtimeArgs: ["--import", new URL("./failingDisk.mjs", import.meta.url).href],
          script: composition.script,
          args: composition.args(ports, []),
          cwd
        })
        yield* whenOk(program, ports.peer, "/readyz")
        yield* program.signal("SIGUSR2")
        yield* eventually("the disk fails", expectDiskFails(program), 5_000)
        const body = JSON.stringify({ name: "Anvil", stock: 1 })
        const failedAtMs = performance.now()
        const write = yield* Effect.forkChild(
          Effect.option(ask(ports.client, composition.products, { method: "POST", headers, body }))
        )
        const code = yield* program.ended
        assert.isBelow(performance.now() - failedAtMs, 1_000, program.output())
        assert.strictEqual(code, 1, program.output())
        assert.match(program.output(), /lithair: .*EIO/)
        const answer = yield* Fiber.join(write)
        if (answer._tag === "Some") assert.isAtLeast(answer.value.status, 500, "nothing was acknowledged")
      }).pipe(Effect.scoped)
    )
  }
})

const expectDiskFails = (program: Program) =>
  Effect.suspend(() => expectThat(program.output().includes("the disk fails from now on"), "the signal has arrived"))
