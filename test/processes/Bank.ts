/**
 * Customers of the bank: each transfer is sent until its answer is final, with one key, to random nodes; its inspectors;
 * and what must be true of it in the end.
 */
import { assert } from "@effect/vitest"
import { Effect, Random, Result } from "effect"
import { pause } from "./Pace.ts"
import { type Answer, eventually, expectThat, listAll, type TestNode } from "./Processes.ts"

/** A transfer that a node has answered with 200. */
export interface Transferred {
  readonly id: string
  readonly from: string
  readonly to: string
  readonly amount: string
}

/** `"12.30"` is 1230. */
export const centsOf = (amount: string): number => Number(amount.replace(".", ""))

export const amountOf = (cents: number): string => `${Math.trunc(cents / 100)}.${String(cents % 100).padStart(2, "0")}`

/** Reads from a node that may be dead or without a quorum; undefined without an answer of 200. */
const read = (node: TestNode, path: string) =>
  Effect.map(Effect.result(node.request("GET", path, { timeoutMs: 4_000 })), (asked) =>
    Result.isSuccess(asked) && asked.success.status === 200 ? asked.success : undefined
  )

export const makeBank = (options: {
  readonly nodes: ReadonlyArray<TestNode>
  /** The accounts of the customers: those that they move money between. */
  readonly ids: ReadonlyArray<string>
  /** Accounts that nobody moves money from, but that hold some of it. */
  readonly otherCount?: number
  readonly openedCents: number
  /** How many clients transfer money at once. */
  readonly clientCount: number
  /** A rule of accounts that a transfer may break; none unless said. */
  readonly rule?: string
  readonly seed: number
  readonly isOver: () => boolean
}) => {
  const { clientCount, ids, isOver, nodes, openedCents, otherCount = 0, rule, seed } = options
  const done: Array<Transferred> = []
  const counts = { refused: 0, retried: 0, replayed: 0 }
  const readCounts = nodes.map(() => 0)
  const unexpected: Array<string> = []

  const one = <A>(items: ReadonlyArray<A>) =>
    Effect.map(Random.nextIntBetween(0, items.length, { halfOpen: true }), (at) => items[at]!)

  const transferOnce = Effect.fnUntraced(function* (key: string) {
    const from = yield* one(ids)
    const to = yield* one(ids.filter((id) => id !== from))
    const amount = amountOf(yield* Random.nextIntBetween(1, 4_000))
    const request = { body: { from, to, amount }, headers: { "idempotency-key": key }, timeoutMs: 4_000 }
    for (;;) {
      const node = yield* one(nodes)
      const sent = yield* Effect.result(node.request("POST", "/api/_commands/transfer", request))
      if (Result.isSuccess(sent) && isFinal(sent.success, { from, to, amount })) {
        if (sent.success.headers.has("idempotent-replayed")) counts.replayed += 1
        return
      }
      counts.retried += 1
      yield* Effect.sleep("20 millis")
    }
  })

  /** Notes the answer to a transfer; false if the client must send it again. */
  const isFinal = ({ body, status }: Answer, asked: Omit<Transferred, "id">): boolean => {
    if (status === 503 || status === 504) return false
    const what = `${JSON.stringify(asked)} was answered ${status} ${JSON.stringify(body)}`
    if (status === 200) {
      const { amount, from, id, to } = body
      if (from !== asked.from || to !== asked.to || amount !== asked.amount) unexpected.push(what)
      done.push({ id, from, to, amount })
    } else if (status === 409 && body.type === "urn:lithair:problem:insufficient-funds") {
      counts.refused += 1
      if (centsOf(body.balance) >= centsOf(asked.amount)) unexpected.push(what)
    } else if (rule !== undefined && status === 409 && body.type === `urn:lithair:problem:${rule}`) {
      counts.refused += 1
    } else unexpected.push(what)
    return true
  }

  const client = (number: number) =>
    Effect.gen(function* () {
      for (let count = 0; !isOver(); count++) {
        yield* transferOnce(`${seed}-${number}-${count}`)
        yield* pause(clientCount)
      }
    }).pipe(Random.withSeed(`${seed}-${number}`))

  /** One page shows one state of the node, which holds all the money, transfers under way included. */
  const inspect = Effect.fnUntraced(function* (node: TestNode, at: number) {
    const listed = yield* read(node, "/api/accounts?limit=1000")
    const doneBefore = done.length
    const audited = yield* read(node, "/api/_projections/audit")
    if (listed === undefined || audited === undefined) return yield* Effect.sleep("20 millis")
    const balances: ReadonlyArray<string> = listed.body.items.map((each: { readonly balance: string }) => each.balance)
    const sum = balances.reduce((total, balance) => total + centsOf(balance), 0)
    if (balances.length !== ids.length + otherCount) unexpected.push(`${node.id} lists ${balances.length} accounts`)
    if (sum !== openedCents) unexpected.push(`the accounts of ${node.id} hold ${amountOf(sum)}`)
    for (const balance of balances) if (balance.startsWith("-")) unexpected.push(`${node.id} shows ${balance}`)
    const { opened, transfers } = audited.body
    if (opened !== amountOf(openedCents)) unexpected.push(`${node.id} says that ${opened} was opened`)
    // The read shows every transfer that was answered before it began.
    if (transfers < doneBefore) unexpected.push(`${node.id} audits ${transfers} transfers after ${doneBefore}`)
    readCounts[at]! += 1
  })

  const inspectors = nodes.map((node, at) =>
    Effect.gen(function* () {
      while (!isOver()) {
        yield* inspect(node, at)
        yield* pause(nodes.length)
      }
    })
  )

  return { done, counts, readCounts, unexpected, client, inspect, inspectors }
}

/** The bank's transactions: those that were answered, each once. */
export const transactionsOf = Effect.fnUntraced(function* <T extends Transferred>(
  node: TestNode,
  done: ReadonlyArray<Transferred>
) {
  const transactions = (yield* listAll(node, "transactions")) as unknown as ReadonlyArray<T>
  const named = (all: ReadonlyArray<Transferred>) =>
    all.map(({ amount, from, id, to }) => ({ id, from, to, amount })).toSorted((a, b) => (a.id < b.id ? -1 : 1))
  assert.deepStrictEqual(named(transactions), named(done), "the transactions are those that were answered, each once")
  return transactions
})

/** Every node holds these accounts, with these balances in cents, none of them below zero. */
export const assertBalances = Effect.fnUntraced(function* (
  nodes: ReadonlyArray<TestNode>,
  cents: ReadonlyMap<string, number>
) {
  for (const node of nodes) {
    const listed = (yield* listAll(node, "accounts")) as unknown as ReadonlyArray<{ id: string; balance: string }>
    assert.deepStrictEqual(
      Object.fromEntries(listed.map(({ balance, id }) => [id, centsOf(balance)])),
      Object.fromEntries(cents)
    )
    assert.isTrue(listed.every(({ balance }) => !balance.startsWith("-")))
  }
})

/** All nodes give the same answer for a projection at one index. It fits one page, with at most 1,000 keys. */
export const readProjection = Effect.fnUntraced(function* (nodes: ReadonlyArray<TestNode>, name: string) {
  const read = Effect.fnUntraced(function* (node: TestNode) {
    const { body, headers, status } = yield* node.request("GET", `/api/_projections/${name}`)
    yield* expectThat(status === 200, `${name} is answered, rather than ${status} ${JSON.stringify(body)}`)
    return { body, index: headers.get("lithair-index") }
  })
  const atOneIndex = Effect.tap(Effect.forEach(nodes, read), (all) =>
    expectThat(new Set(all.map(({ index }) => index)).size === 1, "all nodes answer at one index")
  )
  const [first, ...others] = yield* eventually(`${name} is read at one index`, atOneIndex)
  for (const other of others) assert.deepStrictEqual(other.body, first!.body)
  return first!.body
})
