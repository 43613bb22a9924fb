/**
 * The bank on three real processes: random transfers of 64 clients through random nodes, while the leader is killed with
 * -9 again and again. No money comes or goes, no account is overdrawn, and each transfer is done once.
 *
 * `LITHAIR_NEMESIS_SECONDS` and `LITHAIR_NEMESIS_SEED` say how long and which, as they do for nemesis.test.ts. A seed
 * decides the transfers, the machine when they meet.
 */
import { fileURLToPath } from "node:url"
import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { statementEntriesMax } from "../../examples/bank/statement.ts"
import { isFull } from "../support/measure.ts"
import {
  amountOf,
  assertBalances,
  centsOf,
  makeBank,
  readProjection,
  type Transferred,
  transactionsOf
} from "./Bank.ts"
import { allReady, equalHash, eventually, expectThat, leaderOf, startCluster } from "./Processes.ts"

const script = fileURLToPath(new URL("../../examples/bank.ts", import.meta.url))
const { LITHAIR_NEMESIS_SECONDS, LITHAIR_NEMESIS_SEED } = process.env
const seconds = Number(LITHAIR_NEMESIS_SECONDS ?? (isFull ? 10 : 5))
/** The gate always runs the same seed. A run with more time gets a new one. */
const seed = Number(LITHAIR_NEMESIS_SEED ?? (LITHAIR_NEMESIS_SECONDS === undefined ? 1 : Date.now() % 1_000_000))
const clientCount = 64
const accountCount = 100
const eachCents = 10_000

interface Statement {
  readonly balance: string
  readonly entryCount: number
  readonly entries: ReadonlyArray<{ readonly change: string; readonly balance: string; readonly index: number }>
}

/** Computes each balance from the opening of the account and from its transactions. */
const balancesOf = (transactions: ReadonlyArray<Transferred>, ids: ReadonlyArray<string>) => {
  const accounts = new Map(ids.map((id) => [id, { cents: eachCents, entryCount: 1 }]))
  const book = (id: string, cents: number) => {
    const account = accounts.get(id)!
    account.cents += cents
    account.entryCount += 1
  }
  for (const { amount, from, to } of transactions) {
    book(from, -centsOf(amount))
    book(to, centsOf(amount))
  }
  return accounts
}

it.live(
  `no money is lost, made or overdrawn, and each key is applied once, through ${seconds} s of kill -9 of leaders (seed ${seed})`,
  () =>
    Effect.gen(function* () {
      const nodes = yield* startCluster(["node", "node", "node"], undefined, script)
      const body = Array.from({ length: accountCount }, (_, n) => ({
        owner: `owner ${n}`,
        balance: amountOf(eachCents)
      }))
      const opened = yield* nodes[0]!.request("POST", "/api/accounts/_bulk", { body })
      assert.strictEqual(opened.status, 201, JSON.stringify(opened.body))
      const ids: ReadonlyArray<string> = opened.body.map(({ id }: { readonly id: string }) => id)

      const endsMs = performance.now() + seconds * 1000
      let isOver = false
      const openedCents = accountCount * eachCents
      const bank = makeBank({ nodes, ids, openedCents, clientCount, seed, isOver: () => isOver })
      const { counts, done, readCounts, unexpected } = bank
      const more = (count: number) => {
        const target = done.length + count
        const reached = Effect.suspend(() => expectThat(done.length >= target, "transfers go on"))
        return eventually(`${count} more transfers are done`, reached, 30_000)
      }
      const customers = Array.from({ length: clientCount }, (_, number) => bank.client(number))
      const fibers = yield* Effect.forEach([...customers, ...bank.inspectors], (each) => Effect.forkChild(each))
      let deathCount = 0
      while (deathCount < 2 || performance.now() < endsMs) {
        yield* more(200)
        const leader = yield* leaderOf(nodes)
        yield* leader.stop("SIGKILL")
        deathCount += 1
        yield* more(100)
        yield* leader.start
        yield* allReady(nodes)
      }
      isOver = true
      yield* Effect.forEach(fibers, Fiber.join, { discard: true })
      const figures = { deathCount, done: done.length, ...counts, reads: readCounts }
      console.log(`Bank of seed ${seed}: ${JSON.stringify(figures)}`)
      assert.deepStrictEqual(unexpected, [])
      // A run in which nothing was refused, or nothing read, proves nothing.
      assert.isAbove(counts.refused, 0)
      for (const count of readCounts) assert.isAbove(count, 5)

      yield* equalHash(nodes)
      const transactions = yield* transactionsOf(nodes[0]!, done)
      const accounts = balancesOf(transactions, ids)
      yield* assertBalances(nodes, new Map([...accounts].map(([id, { cents }]) => [id, cents])))

      const moved = amountOf(transactions.reduce((sum, { amount }) => sum + centsOf(amount), 0))
      const sums = { accounts: accountCount, opened: amountOf(openedCents), transfers: done.length, moved }
      assert.deepStrictEqual(yield* readProjection(nodes, "audit"), sums)
      const statements: ReadonlyArray<{ readonly key: string; readonly value: Statement }> = (yield* readProjection(
        nodes,
        "statement?limit=1000"
      )).items
      assert.lengthOf(statements, accountCount)
      for (const { key, value } of statements) {
        const { cents, entryCount } = accounts.get(key)!
        assert.deepStrictEqual([centsOf(value.balance), value.entryCount], [cents, entryCount], key)
        assert.lengthOf(value.entries, Math.min(entryCount, statementEntriesMax))
        assert.strictEqual(value.entries.at(-1)?.balance, value.balance)
        for (const [at, { balance, change, index }] of value.entries.entries()) {
          const before = value.entries[at - 1]
          if (before === undefined) continue
          assert.strictEqual(centsOf(balance), centsOf(before.balance) + centsOf(change))
          assert.isAbove(index, before.index)
        }
      }
    }).pipe(Effect.scoped),
  seconds * 1000 + 120_000
)
