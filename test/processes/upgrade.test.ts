/**
 * A rolling upgrade of the business code of three real processes under load: nodes of two releases lead in turns, are
 * stopped in order and killed with -9. Each decision is by the release that led, all nodes hold the same, and what an old
 * leader does not know is certainly not done. The two releases are those of releaseNode.ts.
 */
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { makeAgreement } from "./Agreement.ts"
import {
  amountOf,
  assertBalances,
  centsOf,
  makeBank,
  readProjection,
  type Transferred,
  transactionsOf
} from "./Bank.ts"
import { moreWrites, underLoad, verify, type Written } from "./Load.ts"
import { pause } from "./Pace.ts"
import {
  type Answer,
  allReady,
  clusterOf,
  equalHash,
  eventually,
  expectThat,
  leaderOf,
  listAll,
  startCluster,
  type TestNode
} from "./Processes.ts"
import { assertProblem } from "./Served.ts"

const script = fileURLToPath(new URL("releaseNode.ts", import.meta.url))
/** The account of the bank itself: fees are paid to it. */
const house = "00000000-0000-4000-8000-000000000000"
const customerCount = 20
const clientCount = 4
const eachCents = 10_000
const openedCents = (customerCount + 1) * eachCents

/** A transaction according to its record: the release that decided it, and its fee. */
interface Decided extends Transferred {
  readonly fee: string
  readonly release: number
}

/** The fee of each release for an amount, and the least balance, in cents. */
const rules: Readonly<Record<number, { readonly fee: (cents: number) => number; readonly leastCents: number }>> = {
  1: { fee: () => 0, leastCents: 0 },
  2: { fee: (cents) => Math.ceil(cents / 100), leastCents: 1_000 }
}

/** Three nodes of the first release, and a way to start one as a node of the second. */
const startReleases = Effect.gen(function* () {
  const environments = new Map<number, Record<string, string>>()
  const environmentOf = (port: number) =>
    Effect.sync(() => {
      const environment = { BANK_RELEASE: "1", BANK_HOUSE: house }
      environments.set(port, environment)
      return environment
    })
  const nodes = yield* startCluster(["node", "node", "node"], environmentOf, script)
  const upgrade = (node: TestNode) =>
    Effect.gen(function* () {
      environments.get(node.port)!.BANK_RELEASE = "2"
      yield* node.start
      yield* allReady(nodes)
    })
  return { nodes, upgrade }
})

const openAccounts = Effect.fnUntraced(function* (node: TestNode) {
  const balance = amountOf(eachCents)
  const customers = Array.from({ length: customerCount }, (_, n) => ({ owner: `owner ${n}`, balance }))
  const body = [{ id: house, owner: "the bank", balance }, ...customers]
  const opened = yield* node.request("POST", "/api/accounts/_bulk", { body })
  assert.strictEqual(opened.status, 201, JSON.stringify(opened.body))
  const ids: ReadonlyArray<string> = opened.body.slice(1).map(({ id }: { readonly id: string }) => id)
  return ids
})

/** Has this node lead. */
const lead = (nodes: ReadonlyArray<TestNode>, to: TestNode) =>
  eventually(
    `${to.id} leads`,
    Effect.gen(function* () {
      const leader = yield* leaderOf(nodes)
      if (leader === to) return
      const { body, status } = yield* leader.request("POST", "/_admin/api/leader:transfer", { body: { to: to.id } })
      yield* Effect.fail(`${leader.id} leads, and answered ${status} ${JSON.stringify(body)}`)
    }),
    30_000
  )

/** Answers while this node leads, from the first question to the last answer: another leader has another term. */
const whileLeads = <A, E>(nodes: ReadonlyArray<TestNode>, leader: TestNode, asking: Effect.Effect<A, E>) =>
  eventually(
    `${leader.id} leads throughout`,
    Effect.gen(function* () {
      yield* lead(nodes, leader)
      const before = yield* clusterOf(leader)
      const answers = yield* asking
      const after = yield* clusterOf(leader)
      yield* expectThat(before.role === "leader" && after.role === "leader", "it led before and after")
      yield* expectThat(before.term === after.term, "nobody led in between")
      return answers
    }),
    30_000
  )

/** The answers that a busy machine may give for a while, under any leader. */
const passing = ["no-quorum", "overloaded", "unknown-outcome", "not-caught-up"].map(
  (name) => `urn:lithair:problem:${name}`
)

const ask = (...[node, ...asked]: [TestNode, ...Parameters<TestNode["request"]>]) =>
  Effect.filterOrFail(node.request(...asked), ({ body }) => !passing.includes(body?.type))

/** A write with a key. */
const post = (node: TestNode, path: string, body: unknown, key: string = crypto.randomUUID()) =>
  ask(node, "POST", `/api/${path}`, { body, headers: { "idempotency-key": key } })

/** The outcome of a key according to each node. */
const operationOn = (nodes: ReadonlyArray<TestNode>, key: string) =>
  Effect.forEach(nodes, (node) => Effect.map(ask(node, "GET", `/api/_operations/${key}`), ({ body }) => body))

const assertUpgradeRequired = (answer: Answer) => {
  assertProblem(answer, 503, "upgrade-required")
  assert.strictEqual(answer.body.definite, true)
  assert.isNull(answer.headers.get("idempotent-replayed"))
}

/** Nodes by their releases while there are both. */
interface Mixed {
  readonly nodes: ReadonlyArray<TestNode>
  readonly newer: TestNode
  readonly older: TestNode
  readonly customer: string
}

interface Keys {
  readonly sweep: string
  readonly complaint: string
  readonly ware: string
}

const sweepOf = (customer: string) => ({ from: house, to: customer })
const complaintOf = (customer: string) => ({ accountId: customer, text: "What is this fee?" })

const newWare = { title: "anvil", price: "1", currency: "USD" }

/** While an old node leads, all that it knows is by its own rules, whichever node is asked. */
const assertOldRules = Effect.fnUntraced(function* ({ customer, newer, nodes, older }: Mixed, leader: TestNode) {
  const { free, shaped, unserved, ware, wareOfNew } = yield* whileLeads(
    nodes,
    leader,
    Effect.gen(function* () {
      return {
        unserved: [
          yield* post(older, "_commands/sweep", sweepOf(customer)),
          yield* post(older, "complaints", complaintOf(customer))
        ],
        shaped: yield* post(newer, "products", { name: "shaped", price: "1", category: "tools" }),
        free: yield* post(older, "products", { name: "free", price: "0" }),
        ware: yield* post(older, "wares", { name: "saw", price: "2" }),
        wareOfNew: yield* post(newer, "wares", newWare)
      }
    })
  )
  assert.strictEqual(ware.status, 201, JSON.stringify(ware.body))
  assertProblem(wareOfNew, 503, "upgrade-pending")
  // Each release shows the record in its own form, and neither has changed it.
  const { id } = ware.body
  const shown = yield* Effect.forEach([older, newer], (node) => ask(node, "GET", `/api/wares/${id}`))
  assert.deepStrictEqual(
    shown.map(({ body }) => body),
    [
      { id, name: "saw", price: "2.00" },
      { id, title: "saw", price: "2.00", currency: "EUR" }
    ]
  )
  for (const each of unserved) assertProblem(each, 404, "not-found")
  assertProblem(shaped, 400, "invalid-request")
  assert.deepStrictEqual(shaped.body.errors[0].path, "category")
  assert.strictEqual(free.status, 201, JSON.stringify(free.body))
})

/**
 * A command that an old leader does not know is certainly not done, and leaves its key free. The leader hands on by itself, until a
 * node leads that knows it: then the very same request is done.
 */
const refusedThenDone = Effect.fnUntraced(function* (
  { newer, nodes }: Mixed,
  leader: TestNode,
  request: { readonly path: string; readonly body: unknown },
  keys: Array<string>
) {
  const key = yield* eventually(
    `${leader.id} is asked while it leads`,
    Effect.gen(function* () {
      yield* lead(nodes, leader)
      const key = crypto.randomUUID()
      keys.push(key)
      const { port } = leader
      const asked = yield* post(newer, request.path, request.body, key)
      yield* expectThat(asked.headers.get("lithair-leader")?.endsWith(`:${port}`) === true, "it led")
      yield* expectThat(asked.status === 503, `it refused, rather than answer ${asked.status}`)
      assertUpgradeRequired(asked)
      return key
    }),
    30_000
  )
  const done = yield* eventually(
    "it is done, by whoever leads then",
    Effect.filterOrFail(post(newer, request.path, request.body, key), ({ status }) => status !== 503),
    30_000
  )
  return { key, done }
})

/** Commands that only the second release knows, or decides otherwise: asked of a node of each release. */
const askForNew = Effect.fnUntraced(function* ({ customer, newer, nodes, older }: Mixed, keys: Keys) {
  const complaint = complaintOf(customer)
  return {
    sweep: yield* post(newer, "_commands/sweep", sweepOf(customer), keys.sweep),
    complaint: yield* post(newer, "complaints", complaint, keys.complaint),
    together: yield* post(newer, "_tx", { ops: [{ op: "create", model: "Complaint", data: complaint }] }),
    unserved: [
      yield* post(older, "_commands/sweep", sweepOf(customer), keys.sweep),
      yield* post(older, "complaints", complaint, keys.complaint)
    ],
    sweeps: yield* operationOn(nodes, keys.sweep),
    complaints: yield* Effect.forEach([newer, older], (node) =>
      Effect.map(ask(node, "GET", `/api/_operations/${keys.complaint}`), (answer) => ({
        answer,
        isNewer: node === newer
      }))
    ),
    shaped: yield* post(newer, "products", { name: "shaped", price: "1", category: "tools" }),
    free: yield* post(older, "products", { name: "free", price: "0" }),
    wares: [yield* post(newer, "wares", newWare, keys.ware), yield* post(older, "wares", { name: "saw", price: "2" })]
  }
})

type Asked = Effect.Success<ReturnType<typeof askForNew>>

/** A new leader: the requests that were refused, and then done, are not done again; its rules bind requests to old nodes too. */
const assertNewLed = (asked: Asked) => {
  assert.deepStrictEqual([asked.sweep.status, asked.sweep.body.release], [200, 2], JSON.stringify(asked.sweep.body))
  for (const { body, headers, status } of [asked.sweep, asked.complaint]) {
    assert.strictEqual(headers.get("idempotent-replayed"), "true", `${status} ${JSON.stringify(body)}`)
  }
  for (const { body, status } of [asked.complaint, asked.shaped]) assert.strictEqual(status, 201, JSON.stringify(body))
  assert.strictEqual(asked.together.status, 200, JSON.stringify(asked.together.body))
  for (const unserved of asked.unserved) assertProblem(unserved, 404, "not-found")
  for (const operation of asked.sweeps) {
    assert.deepStrictEqual(operation, { state: "committed", status: 200, body: asked.sweep.body })
  }
  for (const { answer, isNewer } of asked.complaints) {
    if (isNewer) assert.deepStrictEqual(answer.body, { state: "committed", status: 201, body: asked.complaint.body })
    // Its release does not know which fields of the new model are hidden.
    else assertProblem(answer, 503, "upgrade-required")
  }
  assertProblem(asked.free, 409, "free-of-charge")
  for (const ware of asked.wares) assertProblem(ware, 503, "upgrade-pending")
}

/** Replays the transactions in the order of the log: each was right by its release, on the balances that it met. */
const replay = (ids: ReadonlyArray<string>, transactions: ReadonlyArray<Decided>) => {
  const cents = new Map([...ids, house].map((id) => [id, eachCents]))
  const book = (id: string, change: number) => void cents.set(id, cents.get(id)! + change)
  for (const transaction of transactions) {
    const { amount, fee, from, release, to } = transaction
    const { fee: feeOf, leastCents } = rules[release]!
    assert.strictEqual(centsOf(fee), feeOf(centsOf(amount)), JSON.stringify(transaction))
    book(from, -centsOf(amount))
    book(to, centsOf(amount) - centsOf(fee))
    book(house, centsOf(fee))
    for (const id of [from, to]) assert.isAtLeast(cents.get(id)!, leastCents, JSON.stringify(transaction))
  }
  return cents
}

/** All transactions, in the order of the log: the projection that says it holds each of them once, on every node. */
const inOrder = Effect.fnUntraced(function* (nodes: ReadonlyArray<TestNode>, done: ReadonlyArray<Transferred>) {
  const transactions = yield* transactionsOf<Decided>(nodes[0]!, done)
  const ledger: ReadonlyArray<{ readonly value: ReadonlyArray<{ readonly index: number; readonly id: string }> }> =
    (yield* readProjection(nodes, "ledger?limit=1000")).items
  const entries = ledger.flatMap(({ value }) => value).toSorted((a, b) => a.index - b.index)
  const byId = new Map(transactions.map((each) => [each.id, each]))
  assert.lengthOf(entries, transactions.length)
  return entries.map(({ id }) => byId.get(id)!)
})

const sumOf = (amounts: ReadonlyArray<string>) => amountOf(amounts.reduce((sum, amount) => sum + centsOf(amount), 0))

describe("a rolling upgrade of three processes", () => {
  it.live(
    "never diverges: each transfer is by the release that led, none is lost or done twice, and what an old leader does not know is not done",
    () =>
      Effect.gen(function* () {
        const { nodes, upgrade } = yield* startReleases
        const ids = yield* openAccounts(nodes[0]!)
        // A model without a record has no active version.
        const first = yield* nodes[0]!.request("POST", "/api/wares", { body: { name: "axe", price: "3" } })
        assert.strictEqual(first.status, 201, JSON.stringify(first.body))
        let over = false
        const isOver = () => over
        const bank = makeBank({
          nodes,
          ids,
          otherCount: 1,
          openedCents,
          clientCount,
          rule: "below-minimum",
          seed: 1,
          isOver
        })
        const agreement = makeAgreement(["audit", "ledger"])
        const more = (count: number) => {
          const target = bank.done.length + count
          const reached = Effect.suspend(() => expectThat(bank.done.length >= target, "transfers go on"))
          return eventually(`${count} more transfers are done`, reached, 30_000)
        }
        const clients = Array.from({ length: clientCount }, (_, number) => bank.client(number))
        const inspector = Effect.gen(function* () {
          while (!over) {
            yield* Effect.forEach(nodes, bank.inspect)
            yield* pause(nodes.length)
          }
        })
        const fibers = yield* Effect.forEach([...clients, inspector, agreement.watch(nodes, isOver)], (each) =>
          Effect.forkChild(each)
        )
        /** Of every time that a sweep was asked for. */
        const sweepKeys: Array<string> = []

        const upgrading = Effect.fnUntraced(function* (written: Written) {
          yield* more(50)
          yield* moreWrites(written, 20)

          // The first that is upgraded has led: an old node follows it, and is then asked by it.
          const first = yield* leaderOf(nodes)
          const [second, third] = nodes.filter((node) => node !== first) as [TestNode, TestNode]
          const mixed = { nodes, newer: first, older: third, customer: ids[0]! }
          assert.strictEqual(yield* first.stop("SIGTERM"), 0)
          yield* more(20)
          yield* upgrade(first)
          yield* assertOldRules(mixed, second)
          yield* more(20)

          const sweep = { path: "_commands/sweep", body: sweepOf(mixed.customer) }
          const swept = yield* refusedThenDone(mixed, second, sweep, sweepKeys)
          const complaint = { path: "complaints", body: complaintOf(mixed.customer) }
          const complained = yield* refusedThenDone(mixed, third, complaint, [])
          const keys = { sweep: swept.key, complaint: complained.key, ware: crypto.randomUUID() }
          const late = yield* whileLeads(nodes, first, askForNew(mixed, keys))
          assertNewLed(late)
          for (const node of nodes) {
            const { body } = yield* node.request("GET", `/api/products/${late.shaped.body.id}`)
            const { category: _, ...known } = late.shaped.body
            assert.deepStrictEqual(body, node === first ? late.shaped.body : known, "an old node hides a new field")
          }
          yield* more(20)
          yield* moreWrites(written, 20)

          // An old leader that is killed comes back as a new node.
          yield* lead(nodes, second)
          yield* second.stop("SIGKILL")
          yield* more(20)
          yield* upgrade(second)

          // The last old one leads before and after a new one, and is stopped in order while it does.
          for (const leader of [third, second, third]) {
            yield* lead(nodes, leader)
            yield* more(20)
          }
          assert.strictEqual(yield* third.stop("SIGTERM"), 0)
          yield* more(20)
          yield* upgrade(third)
          yield* more(20)
          yield* moreWrites(written, 20)
          const postWare = post(third, "wares", newWare, keys.ware)
          yield* eventually(
            "the write that was refused is done, once every node has the new version",
            Effect.filterOrFail(postWare, ({ status }) => status === 201),
            30_000
          )
          const again = yield* eventually("the write is told again", postWare)
          assert.deepStrictEqual([again.status, again.headers.get("idempotent-replayed")], [201, "true"])
        })
        const { written } = yield* underLoad({ nodes, clients: 1, prefix: "upgrade" }, upgrading)
        over = true
        yield* Effect.forEach(fibers, Fiber.join, { discard: true })

        assert.deepStrictEqual(bank.unexpected, [])
        assert.deepStrictEqual(agreement.disagreements, [])
        yield* verify(nodes, written)
        for (const key of sweepKeys) {
          const [{ body, status }] = yield* operationOn([nodes[0]!], key)
          if (status === 200) bank.done.push(body)
        }
        const decided = yield* inOrder(nodes, bank.done)
        yield* assertBalances(nodes, replay(ids, decided))
        assert.deepStrictEqual(yield* readProjection(nodes, "audit"), {
          opened: amountOf(openedCents),
          transfers: decided.length,
          moved: sumOf(decided.map(({ amount }) => amount)),
          fees: sumOf(decided.map(({ fee }) => fee))
        })
        const wares = yield* Effect.forEach(nodes, (node) => listAll(node, "wares"))
        assert.strictEqual(yield* readProjection(nodes, "catalogue"), wares[0]!.length)
        for (const each of wares) assert.deepStrictEqual(each, wares[0])
        const complaints = yield* Effect.forEach(nodes, (node) => listAll(node, "complaints"))
        for (const each of complaints) assert.deepStrictEqual(each, complaints[0])
        yield* equalHash(nodes)

        const byRelease = [1, 2].map((release) => decided.filter((each) => each.release === release).length)
        const handoverCount = decided.filter(({ release }, at) => release !== (decided[at - 1]?.release ?? 1)).length
        const figures = {
          transfersOfEachRelease: byRelease,
          handoverCount,
          written: written.acknowledged.size,
          comparedCount: agreement.comparedCount(),
          ...bank.counts,
          reads: bank.readCounts
        }
        console.log(`Upgrade: ${JSON.stringify(figures)}`)
        // Decisions of old and new leaders in turns: old, new, old, new, old, new.
        assert.isAtLeast(handoverCount, 5)
        for (const count of byRelease) assert.isAbove(count, 50)
        assert.isAbove(agreement.comparedCount(), 20)
      }).pipe(Effect.scoped),
    120_000
  )
})
