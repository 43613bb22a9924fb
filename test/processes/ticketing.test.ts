/**
 * Rolling upgrades of the ticketing example in three real processes, under load. With compatible changes no request is
 * refused. With a new version of the ticket, only purchases are, certainly and between the first node and the last, and
 * the roll may go back before that. All nodes then hold the same, though a step of the new version is no function.
 */
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { pause } from "./Pace.ts"
import {
  type Answer,
  allReady,
  equalHash,
  eventually,
  expectThat,
  leaderOf,
  listAll,
  startCluster,
  type TestNode
} from "./Processes.ts"

const script = fileURLToPath(new URL("ticketingNode.ts", import.meta.url))
const clientCount = 4
const seats = 50_000

/** Answers of a node that stops, starts or has no leader: a client asks the next node, with the same key. */
const passing = ["draining", "starting", "no-quorum", "overloaded", "unknown-outcome", "not-caught-up"].map(
  (name) => `urn:lithair:problem:${name}`
)

interface Refusal {
  readonly what: "buy" | "create" | "read"
  readonly atMs: number
  readonly status: number
  readonly kind: string
  readonly definite: unknown
}

/** What the clients have seen. */
interface Seen {
  readonly refusals: Array<Refusal>
  readonly bought: Map<string, string>
  readonly shows: Set<string>
  boughtLastMs: number
  count: number
}

/** Clients that buy, create shows and read, each through all nodes in turn, until they are stopped. */
const startClients = Effect.fnUntraced(function* (nodes: ReadonlyArray<TestNode>, show: string) {
  const seen: Seen = { refusals: [], bought: new Map(), shows: new Set(), boughtLastMs: 0, count: 0 }
  let isOver = false

  /** The first answer that is no accident of a restart. */
  const ask = (at: number, ...[method, path, options]: Parameters<TestNode["request"]>) => {
    let turn = at
    const attempt = Effect.suspend(() => nodes[turn++ % nodes.length]!.request(method, path, options)).pipe(
      Effect.filterOrFail(({ body }) => !passing.includes(body?.type))
    )
    return eventually(`${method} ${path} is answered`, attempt, 30_000)
  }
  const took = (what: Refusal["what"], answer: Answer, isDone: boolean) => {
    seen.count += 1
    if (isDone) return true
    const { body, status } = answer
    seen.refusals.push({ what, atMs: performance.now(), status, kind: String(body?.type), definite: body?.definite })
    return false
  }
  const client = (number: number) =>
    Effect.gen(function* () {
      for (let count = 0; !isOver; count++) {
        yield* pause(clientCount)
        const key = crypto.randomUUID()
        const headers = { "idempotency-key": key }
        const holder = `holder-${number}-${count}`
        if (count % 3 === 2) {
          const body = { id: key, title: holder, seats: 1 }
          const created = yield* ask(number + count, "POST", "/api/shows", { body, headers })
          if (took("create", created, created.status === 201)) seen.shows.add(key)
          const read = yield* ask(number + count + 1, "GET", "/api/tickets?limit=3")
          took("read", read, read.status === 200)
          continue
        }
        const asked = { body: { showId: show, holder }, headers }
        const answer = yield* ask(number + count, "POST", "/api/_commands/buyTicket", asked)
        if (!took("buy", answer, answer.status === 200)) continue
        seen.bought.set(holder, answer.body.id)
        seen.boughtLastMs = performance.now()
      }
    })
  const fibers = yield* Effect.forEach(Array.from({ length: clientCount }), (_, number) =>
    Effect.forkChild(client(number))
  )
  const stop = Effect.suspend(() => {
    isOver = true
    return Effect.forEach(fibers, Fiber.join, { discard: true })
  })
  /** Waits for so many more answers, or so many more tickets. */
  const more = (what: "answers" | "tickets", count: number) => {
    const now = () => (what === "answers" ? seen.count : seen.bought.size)
    const target = now() + count
    const reached = Effect.suspend(() => expectThat(now() >= target, `${what} come`))
    return eventually(
      () =>
        `${count} more ${what}: ${seen.count} answers, ${seen.bought.size} tickets, refused ${JSON.stringify(seen.refusals.slice(-3))}`,
      reached,
      30_000
    )
  }
  return { seen, stop, more }
})

describe("a rolling upgrade of ticketing", () => {
  it.live(
    "refuses nothing with compatible changes, and with others only purchases, certainly, between the first node and the last",
    () =>
      Effect.gen(function* () {
        const environments = new Map<number, Record<string, string>>()
        const environmentOf = (port: number) =>
          Effect.sync(() => {
            const environment = { TICKETING_RELEASE: "first" }
            environments.set(port, environment)
            return environment
          })
        const nodes = yield* startCluster(["node", "node", "node"], environmentOf, script)
        const roll = Effect.fnUntraced(function* (node: TestNode, release: string) {
          assert.strictEqual(yield* node.stop("SIGTERM"), 0)
          environments.get(node.port)!.TICKETING_RELEASE = release
          yield* node.start
          yield* allReady(nodes)
        })
        const opened = yield* nodes[0]!.request("POST", "/api/shows", { body: { title: "Hamlet", seats } })
        assert.strictEqual(opened.status, 201, JSON.stringify(opened.body))
        const show: string = opened.body.id
        const { more, seen, stop } = yield* startClients(nodes, show)
        yield* more("tickets", 50)

        // Compatible changes: forth, back and forth again, and nothing is refused.
        for (const node of nodes) {
          yield* roll(node, "compatible")
          yield* more("answers", 20)
        }
        yield* roll(nodes[0]!, "first")
        yield* more("answers", 20)
        yield* roll(nodes[0]!, "compatible")
        yield* more("tickets", 20)
        assert.deepStrictEqual(seen.refusals, [], "compatible changes refuse nothing")

        // A new version of the ticket: back again before it is active.
        const beganMs = performance.now()
        yield* roll(nodes[0]!, "next")
        yield* more("answers", 20)
        yield* roll(nodes[0]!, "compatible")
        const backMs = performance.now()
        yield* more("tickets", 20)
        const afterBack = seen.refusals.filter(({ atMs }) => atMs > backMs)
        assert.deepStrictEqual(afterBack, [], "nothing is refused once the former release is back")

        const againMs = performance.now()
        for (const node of nodes) {
          yield* roll(node, "next")
          yield* more("answers", 20)
        }
        const active = yield* eventually(
          "the new version is active, and all tickets are stored in it",
          Effect.gen(function* () {
            const { body } = yield* nodes[0]!.request("GET", "/_admin/api/models")
            const ticket = body.items.find(({ name }: { readonly name: string }) => name === "Ticket")
            yield* expectThat(ticket.active === 2 && Object.keys(ticket.stored).join() === "2", JSON.stringify(ticket))
            return performance.now()
          }),
          30_000
        )
        yield* more("tickets", 20)
        const late = seen.refusals.filter(({ atMs }) => atMs > active + 1_000)
        assert.deepStrictEqual(late, [], "nothing is refused once the version is active")
        yield* stop

        assert.isAbove(seen.refusals.length, 0, "purchases were refused meanwhile")
        for (const refusal of seen.refusals) {
          assert.deepInclude(refusal, { what: "buy", status: 503, definite: true })
          assert.match(refusal.kind, /:upgrade-(pending|required)$/)
          const isBetween = (refusal.atMs > beganMs && refusal.atMs <= backMs) || refusal.atMs > againMs
          assert.isTrue(isBetween, "a refusal is of a node with the new code, or while one leads")
        }

        // Each ticket that was sold is there once, and none that was refused.
        yield* equalHash(nodes)
        const lists = yield* Effect.forEach(nodes, (node) => listAll(node, "tickets"))
        for (const list of lists) assert.deepStrictEqual(list, lists[0], "nodes agree on what the leader drew")
        const tickets = new Map(lists[0]!.map(({ buyer, id }) => [buyer, id]))
        assert.strictEqual(tickets.size, lists[0]!.length)
        assert.deepStrictEqual(tickets, new Map(seen.bought))
        for (const node of nodes) {
          const { body: sold } = yield* node.request("GET", "/api/_projections/sales")
          assert.strictEqual(sold, tickets.size)
        }
        const codes = new Set(lists[0]!.map(({ code }) => code))
        assert.isAbove(codes.size, 50, "the step has drawn")
        const { body: left } = yield* nodes[1]!.request("GET", `/api/shows/${show}`)
        assert.deepInclude(left, { seats: seats - tickets.size, doors: "19:00" })

        // What was drawn once stays, also for a node that is killed and reads its log again.
        const leader = yield* leaderOf(nodes)
        yield* leader.stop("SIGKILL")
        yield* leader.start
        yield* allReady(nodes)
        yield* equalHash(nodes)
        assert.deepStrictEqual(yield* listAll(leader, "tickets"), lists[0])
      }).pipe(Effect.scoped),
    240_000
  )
})
