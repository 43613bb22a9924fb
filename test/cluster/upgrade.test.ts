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

/** A transaction as its record says it: which release decided it, and what that took. */
interface Decided extends Transferred {
  readonly fee: string
  readonly release: number
}

/** What each release takes of an amount, and leaves on an account, in cents. */
const rules: Readonly<Record<number, { readonly fee: (cents: number) => number; readonly leastCents: number }>> = {
  1: { fee: () => 0, leastCents: 0 },
  2: { fee: (cents) => Math.ceil(cents / 100), leastCents: 1_000 }
}

/** Three nodes of the first release, and what starts one as a node of the second. */
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

/** What is answered while this node leads, from the first question to the last answer: another leader has another term. */
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

/** What a machine that is too busy answers for a while, whoever leads. */
const passing = ["no-quorum", "overloaded", "unknown-outcome", "not-caught-up"].map(
  (name) => `urn:lithair:problem:${name}`
)

const ask = (...[node, ...asked]: [TestNode, ...Parameters<TestNode["request"]>]) =>
  Effect.filterOrFail(node.request(...asked), ({ body }) => !passing.includes(body?.type))

/** A write with a key. */
const post = (node: TestNode, path: string, body: unknown, key: string = crypto.randomUUID()) =>
  ask(node, "POST", `/api/${path}`, { body, headers: { "idempotency-key": key } })

/** What became of a key, as each node says it. */
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
}

const makeKeys = (): Keys => ({ sweep: crypto.randomUUID(), complaint: crypto.randomUUID() })

/** What the first release does not know, or decides otherwise: asked of a node of the second, and of one of the first. */
const askForNew = Effect.fnUntraced(function* ({ customer, newer, nodes, older }: Mixed, keys: Keys) {
  const sweeping = { from: house, to: customer }
  const complaint = { accountId: customer, text: "What is this fee?" }
  return {
    keys,
    sweep: yield* post(newer, "_commands/sweep", sweeping, keys.sweep),
    copy: yield* post(newer, "_commands/sweep", sweeping, keys.sweep),
    complaint: yield* post(newer, "complaints", complaint, keys.complaint),
    together: yield* post(newer, "_tx", { ops: [{ op: "create", model: "Complaint", data: complaint }] }),
    unserved: [
      yield* post(older, "_commands/sweep", sweeping, keys.sweep),
      yield* post(older, "complaints", complaint, keys.complaint)
    ],
    sweeps: yield* operationOn(nodes, keys.sweep),
    complaints: yield* operationOn(nodes, keys.complaint),
    shaped: yield* post(newer, "products", { name: "shaped", price: "1", category: "tools" }),
    free: yield* post(older, "products", { name: "free", price: "0" }),
    catalogue: yield* ask(older, "GET", "/api/_projections/catalogue")
  }
})

type Asked = Effect.Success<ReturnType<typeof askForNew>>

/** An old leader: what is new to it is certainly not done, and all else by its own rules, whichever node is asked. */
const assertOldLed = (asked: Asked) => {
  for (const refused of [asked.sweep, asked.copy, asked.complaint, asked.together]) assertUpgradeRequired(refused)
  for (const unserved of asked.unserved) assertProblem(unserved, 404, "not-found")
  for (const operation of [...asked.sweeps, ...asked.complaints]) assert.deepStrictEqual(operation, { state: "absent" })
  // On a busy machine the new node may have led for a moment: then records of the new version are there already.
  if (asked.catalogue.status === 503) {
    for (const refused of [asked.shaped, asked.free]) assertUpgradeRequired(refused)
    return
  }
  assertProblem(asked.shaped, 400, "invalid-request")
  assert.deepStrictEqual(asked.shaped.body.errors[0].path, "category")
  assert.strictEqual(asked.free.status, 201, JSON.stringify(asked.free.body))
}

/** A new leader: the very requests that were refused are done, once, and its rules bind requests to old nodes too. */
const assertNewLed = (asked: Asked) => {
  assert.deepStrictEqual([asked.sweep.status, asked.sweep.body.release], [200, 2], JSON.stringify(asked.sweep.body))
  assert.deepStrictEqual(asked.copy.body, asked.sweep.body)
  assert.strictEqual(asked.copy.headers.get("idempotent-replayed"), "true")
  for (const { body, status } of [asked.complaint, asked.shaped]) assert.strictEqual(status, 201, JSON.stringify(body))
  assert.strictEqual(asked.together.status, 200, JSON.stringify(asked.together.body))
  for (const unserved of asked.unserved) assertProblem(unserved, 404, "not-found")
  for (const operation of asked.sweeps) {
    assert.deepStrictEqual(operation, { state: "committed", status: 200, body: asked.sweep.body })
  }
  for (const operation of asked.complaints) {
    assert.deepStrictEqual(operation, { state: "committed", status: 201, body: asked.complaint.body })
  }
  assertProblem(asked.free, 409, "free-of-charge")
}

/** An old leader, once records of the new version are there: it decides nothing of their models, asked on any node. */
const assertOldStands = Effect.fnUntraced(function* (mixed: Mixed, leader: TestNode) {
  const { customer, newer, nodes } = mixed
  const product = { name: "anvil", price: "1" }
  const asked = yield* whileLeads(
    nodes,
    leader,
    Effect.gen(function* () {
      const key = crypto.randomUUID()
      return {
        key,
        products: yield* Effect.forEach(nodes, (node) => post(node, "products", product, key)),
        complaint: yield* post(newer, "complaints", { accountId: customer, text: "Again?" }),
        catalogues: yield* Effect.forEach(nodes, (node) => ask(node, "GET", "/api/_projections/catalogue"))
      }
    })
  )
  for (const refused of [...asked.products, asked.complaint]) assertUpgradeRequired(refused)
  // Its own projections of such a model wait for it to be upgraded; on a new node they go on.
  for (const [at, catalogue] of asked.catalogues.entries()) {
    if (nodes[at] === newer) assert.strictEqual(catalogue.status, 200, JSON.stringify(catalogue.body))
    else assertProblem(catalogue, 503, "projection-failed")
  }
  return (node: TestNode) => post(node, "products", product, asked.key)
})

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
        let over = false
        const isOver = () => over
        const bank = makeBank({ nodes, ids, otherCount: 1, openedCents, rule: "below-minimum", seed: 1, isOver })
        const agreement = makeAgreement(["audit", "ledger"])
        const more = (count: number) => {
          const target = bank.done.length + count
          const reached = Effect.suspend(() => expectThat(bank.done.length >= target, "transfers go on"))
          return eventually(`${count} more transfers are done`, reached, 30_000)
        }
        const clients = Array.from({ length: clientCount }, (_, number) => bank.client(number))
        const inspector = Effect.gen(function* () {
          while (!over) yield* Effect.forEach(nodes, bank.inspect)
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
          const early = yield* whileLeads(
            nodes,
            second,
            Effect.suspend(() => {
              const keys = makeKeys()
              sweepKeys.push(keys.sweep)
              return askForNew(mixed, keys)
            })
          )
          assertOldLed(early)
          yield* more(20)

          const late = yield* whileLeads(nodes, first, askForNew(mixed, early.keys))
          assertNewLed(late)
          for (const node of nodes) {
            const { body } = yield* node.request("GET", `/api/products/${late.shaped.body.id}`)
            assert.deepStrictEqual(body, late.shaped.body, "an old node shows a field that it does not know")
          }
          yield* more(20)
          yield* moreWrites(written, 20)

          const postRefused = yield* assertOldStands(mixed, second)
          yield* more(20)

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
          const created = yield* eventually("a refused write is done", postRefused(third))
          assert.strictEqual(created.status, 201, JSON.stringify(created.body))
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
        assert.strictEqual(yield* readProjection(nodes, "catalogue"), (yield* listAll(nodes[0]!, "products")).length)
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
