/** A reaction and projections on whole clusters in virtual time, parted and crashed: nothing is missed, and all nodes agree. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Random } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { Projections } from "../../src/Projection/Projections.ts"
import { eventId } from "../../src/Projection.ts"
import { unrecordedMaxCount } from "../../src/Reaction/Leading.ts"
import * as Reaction from "../../src/Reaction.ts"
import { Reactions } from "../../src/Reaction.ts"
import { TestCluster } from "../../src/Testing.ts"
import { makeHistory, makeSpent, models, Order } from "../Projection/Sales.ts"

const history = makeHistory()
const spent = makeSpent()

const place = (customer: string) =>
  HttpClientRequest.post("/api/orders").pipe(
    HttpClientRequest.bodyJsonUnsafe({ customer, cents: 1 }),
    HttpClient.execute
  )

/** Places orders on random nodes; gives the entries of those that were acknowledged. */
const placeSome = Effect.fnUntraced(function* (count: number) {
  const cluster = yield* TestCluster
  const acknowledged: Array<string> = []
  for (let at = 0; at < count; at++) {
    const node = cluster.nodes[yield* Random.nextIntBetween(0, cluster.nodes.length - 1)]!
    const answer = yield* Effect.option(cluster.on(node, place(`c${at % 5}`)))
    if (answer._tag === "None" || answer.value.status !== 201) continue
    acknowledged.push(`${answer.value.headers["lithair-index"]}.0`)
  }
  return acknowledged
})

const run = (seed: number) => {
  const sent: Array<string> = []
  const mail = Reaction.make("mail", {
    from: [Order],
    run: (event) => Effect.sync(() => void sent.push(eventId(event)))
  })
  return Effect.gen(function* () {
    const cluster = yield* TestCluster
    const acknowledged: Array<string> = []
    let leadersCount = 1
    for (const harm of ["crash", "partition", "crash", "none"] as const) {
      acknowledged.push(...(yield* placeSome(15)))
      const leader = yield* cluster.leader
      if (harm === "crash") yield* cluster.crash(leader)
      if (harm === "partition") yield* cluster.partition([leader])
      acknowledged.push(...(yield* placeSome(15)))
      yield* cluster.heal
      if (harm === "crash") yield* cluster.restart(leader)
      yield* cluster.settle
      leadersCount += 1
    }
    yield* cluster.advance("5 seconds")
    yield* cluster.settle

    const read = Effect.gen(function* () {
      const projections = yield* Projections
      const [reaction] = (yield* Reactions).status()
      const page = yield* projections.page(spent, { limit: 10 })
      return {
        events: yield* projections.get(history),
        spent: page.value.items,
        runningCount: reaction?.isRunning === true ? 1 : 0,
        lagCount: reaction?.lagCount ?? 0
      }
    })
    const seen = yield* Effect.forEach(cluster.nodes, (node) => cluster.on(node, read))
    const lines = seen[0]!.events.value
    for (const { events, spent } of seen) {
      assert.deepStrictEqual(events.value, lines)
      assert.deepStrictEqual(spent, seen[0]!.spent)
    }
    assert.strictEqual(
      seen[0]!.spent.reduce((sum, { state }) => sum + state.orders, 0),
      lines.length
    )
    assert.strictEqual(
      seen.reduce((sum, { runningCount }) => sum + runningCount, 0),
      1,
      "the reaction runs on the leader alone"
    )
    assert.isTrue(seen.every(({ lagCount }) => lagCount < 10))

    const committed = lines.map((line) => line.split(" ")[0])
    assert.deepStrictEqual(
      acknowledged.filter((id) => !committed.includes(id)),
      []
    )
    const first = sent.filter((id, at) => sent.indexOf(id) === at)
    assert.deepStrictEqual(first, committed, "every event is run, in the order of the log, and nothing else")
    assert.isAtMost(sent.length - first.length, leadersCount * unrecordedMaxCount)
    return sent.join()
  }).pipe(Effect.provide(TestCluster.layer({ models, projections: [history, spent], reactions: [mail], seed })))
}

/** What a node says of the only reaction. */
const reactionOn = Effect.fnUntraced(function* (node: string) {
  const cluster = yield* TestCluster
  const answer = yield* cluster.on(node, HttpClient.get("/_admin/api/reactions"))
  return ((yield* answer.json) as unknown as { readonly items: ReadonlyArray<Shown> }).items[0]!
})

interface Shown {
  readonly running: boolean
  readonly stumbles?: { readonly at: string; readonly sinceMs: number; readonly failure: string }
  readonly parked: ReadonlyArray<{ readonly at: string }>
}

const steer = (action: string, at: string) =>
  HttpClientRequest.post("/_admin/api/reactions/mail").pipe(
    HttpClientRequest.bodyJsonUnsafe({ action, at }),
    HttpClient.execute,
    Effect.map(({ status }) => status)
  )

describe("an operator of a cluster", () => {
  it.effect("parks a poison event at a majority; the leader that was parted from it undoes nothing", () => {
    const sent: Array<string> = []
    const state = { isPoisoned: true }
    const mail = Reaction.make("mail", {
      from: [Order],
      run: ({ record }) =>
        Effect.suspend(() =>
          record.customer === "nobody" && state.isPoisoned
            ? Effect.fail(new Error("no such address"))
            : Effect.sync(() => void sent.push(record.customer))
        )
    })
    return Effect.gen(function* () {
      const cluster = yield* TestCluster
      const former = yield* cluster.leader
      yield* cluster.on(former, place("nobody"))
      yield* cluster.on(former, place("ann"))
      yield* cluster.advance("1 second")
      yield* cluster.settle
      const [stumbles, ...others] = yield* Effect.forEach(cluster.nodes, (node) =>
        Effect.map(reactionOn(node), ({ stumbles }) => stumbles)
      )
      assert.strictEqual(stumbles?.failure, "no such address")
      for (const other of others) assert.deepStrictEqual(other, stumbles, "every node says the same")
      const { at } = stumbles!

      yield* cluster.partition([former])
      yield* cluster.advance("3 seconds")
      const rest = cluster.nodes.filter((node) => node !== former)
      assert.strictEqual(yield* cluster.on(former, steer("skip", at)), 503, "a minority decides nothing")
      assert.strictEqual(yield* cluster.on(rest[0]!, steer("park", at)), 200)
      assert.strictEqual(yield* cluster.on(rest[1]!, steer("park", "999.0")), 409)
      yield* cluster.advance("3 seconds")
      assert.deepStrictEqual(sent, ["ann"])
      yield* cluster.heal
      yield* cluster.advance("5 seconds")
      yield* cluster.settle
      for (const node of cluster.nodes) {
        const { parked, stumbles } = yield* reactionOn(node)
        assert.deepStrictEqual([stumbles, parked.map(({ at }) => at)], [undefined, [at]])
      }

      state.isPoisoned = false
      assert.strictEqual(yield* cluster.on(former, steer("retry", at)), 200)
      yield* cluster.advance("2 seconds")
      yield* cluster.settle
      assert.deepStrictEqual(sent, ["ann", "nobody"])
      for (const node of cluster.nodes) assert.deepStrictEqual((yield* reactionOn(node)).parked, [])
    }).pipe(Effect.provide(TestCluster.layer({ models, reactions: [mail], seed: 3 })))
  })
})

describe("on clusters that part and crash", () => {
  for (let seed = 1; seed <= 8; seed++) {
    it.effect(`no event is missed by a reaction, and projections are equal on all nodes (seed ${seed})`, () =>
      run(seed)
    )
  }
})
