/**
 * Clients that read and change two records on a test's cluster while its nodes are parted and crash, all drawn from one
 * seed, in virtual time; and the history of what the clients were told, in the terms of the versioned register.
 */
import { Clock, Effect, Fiber, Random, Schema } from "effect"
import { stateHash } from "../../src/Machine/Tables.ts"
import * as Model from "../../src/Model.ts"
import { Member } from "../../src/Raft/Member.ts"
import { type Change, Records } from "../../src/Repository/Records.ts"
import { type History, TestCluster } from "../../src/Testing.ts"

class Product extends Model.Class<Product>("Product")({
  id: Model.id(Schema.String),
  name: Schema.NonEmptyString.pipe(Model.replicate)
}) {}

const products = Model.describe(Product)
const keys = ["anvil", "bolt"]
const clientsCount = 4
const operationsCount = 80
const pauseMaxMs = 150
const respiteMaxMs = 800

type Ending = Pick<History.Event, "type" | "result">
const fail: Ending = { type: "fail" }
const info: Ending = { type: "info" }

const below = (bound: number) => Random.nextIntBetween(0, bound, { halfOpen: true })
const anyOf = <A>(from: ReadonlyArray<A>) => Effect.map(below(from.length), (at) => from[at]!)

const read = (key: string) =>
  Records.use((records) => records.get(products, key)).pipe(
    Effect.map(({ value }): Ending => {
      const result = value === undefined ? null : { value: String(value.record.name), version: value.version }
      return { type: "ok", result }
    }),
    Effect.catch(() => Effect.succeed(fail))
  )

const change = (change: Change) =>
  Records.use((records) => records.change(products, change)).pipe(
    Effect.map(
      ({ change, version }): Ending => ({ type: "ok", result: change === "deleted" ? "deleted" : { version } })
    ),
    Effect.catchTags({
      Refused: ({ rejection }) => {
        if (rejection._tag === "NotFound") return Effect.succeed<Ending>({ type: "fail", result: "absent" })
        if (rejection._tag !== "VersionConflict") return Effect.die(rejection)
        const isCreate = change._tag === "Put" && change.ifNoneMatch === true
        const { currentVersion } = rejection
        return Effect.succeed<Ending>({ type: "fail", result: isCreate ? "exists" : { currentVersion } })
      },
      NotDone: () => Effect.succeed(fail),
      UnknownOutcome: () => Effect.succeed(info),
      LocalNotDone: Effect.die,
      LocalUnknownOutcome: Effect.die
    })
  )

/** What a client asks next: mostly reads, and compare-and-set from the version that it saw last. */
const draw = Effect.fnUntraced(function* (id: string, name: string, seenVersion: number) {
  const kind = yield* below(100)
  const put = { _tag: "Put", model: "Product", id, data: { name } } as const
  if (kind < 40) return { op: "read", attempt: read(id) }
  if (kind < 55) return { op: "write", value: name, attempt: change(put) }
  if (kind < 80) {
    const value = { ifVersion: seenVersion, value: name }
    return { op: "cas", value, attempt: change({ ...put, ifMatch: [seenVersion] }) }
  }
  if (kind < 92) return { op: "create", value: name, attempt: change({ ...put, ifNoneMatch: true }) }
  return { op: "delete", attempt: change({ _tag: "Delete", model: "Product", id }) }
})

const seenIn = (result: Schema.Json | undefined): number | undefined => {
  if (typeof result !== "object" || result === null) return undefined
  const seen = "version" in result ? result.version : "currentVersion" in result ? result.currentVersion : undefined
  return typeof seen === "number" ? seen : undefined
}

const leaderSeen = Member.use((member) => Effect.sync(member.leader))

/** Parts, crashes and restarts nodes, for ever, and mostly undoes it soon; half of the time it aims at whoever leads. */
const harm = Effect.gen(function* () {
  const { advance, crash, heal, nodes, on, partition, restart } = yield* TestCluster
  const down = new Set<string>()
  while (true) {
    const asked = yield* anyOf(nodes)
    const seen = yield* on(asked, leaderSeen).pipe(Effect.orElseSucceed(() => undefined))
    const victim = (yield* Random.nextBoolean) ? (seen ?? asked) : asked
    const kind = yield* below(4)
    if (kind === 0) yield* partition([victim])
    if (kind === 1) yield* crash(victim)
    if (kind === 2) yield* restart(...nodes)
    if (kind === 3) yield* restart(victim)
    if (kind === 1) down.add(victim)
    if (kind === 2) down.clear()
    if (kind === 3) down.delete(victim)
    yield* advance(yield* below(respiteMaxMs))
    if ((yield* below(10)) < 3) continue
    yield* heal
    yield* restart(...down)
    down.clear()
    yield* advance(yield* below(respiteMaxMs))
  }
})

/** One run: its history, the state hash of every node at its end, and when that was in virtual time. */
export const run = (seed: number) =>
  Effect.gen(function* () {
    const { advance, heal, nodes, on, restart, settle } = yield* TestCluster
    const events: Array<History.Event> = []
    let processes = 0

    const perform = Effect.fnUntraced(function* (
      node: string,
      process: number,
      key: string,
      { attempt, ...request }: Effect.Success<ReturnType<typeof draw>>
    ) {
      const add = (event: Ending | { readonly type: "invoke"; readonly value?: Schema.Json }) => {
        events.push({ ...event, op: request.op, process, key, timeMs: events.length })
      }
      add({ type: "invoke", ...("value" in request ? { value: request.value } : {}) })
      const ending = yield* on(node, attempt).pipe(
        Effect.catchTag("NodeDown", ({ reason }) => Effect.succeed(reason === "crashed" ? info : fail))
      )
      add(ending)
      return ending
    })

    const client = Effect.fnUntraced(function* (number: number) {
      const seen = new Map<string, number>()
      let process = processes++
      for (let count = 0; count < operationsCount; count++) {
        const key = yield* anyOf(keys)
        const request = yield* draw(key, `${number}.${count}`, seen.get(key) ?? 1)
        const { result, type } = yield* perform(yield* anyOf(nodes), process, key, request)
        seen.set(key, seenIn(result) ?? seen.get(key) ?? 1)
        if (type === "info") process = processes++
        yield* advance(yield* below(pauseMaxMs))
      }
    })

    const harming = yield* Effect.forkChild(harm)
    const clients = yield* Effect.forEach(Array.from({ length: clientsCount }), (_, number) =>
      Effect.forkChild(client(number))
    )
    yield* Effect.forEach(clients, Fiber.join, { discard: true })
    yield* Fiber.interrupt(harming)
    yield* heal
    yield* restart(...nodes)
    yield* settle
    for (const node of nodes) {
      const process = processes++
      for (const key of keys) yield* perform(node, process, key, { op: "read", attempt: read(key) })
    }
    const hash = Member.use((member) => Effect.sync(() => stateHash(member.tables)))
    const hashes = yield* Effect.forEach(nodes, (node) => on(node, hash))
    return { events, hashes, endedMs: yield* on("n1", Clock.currentTimeMillis) }
  }).pipe(Random.withSeed(`harm ${seed}`), Effect.provide(TestCluster.layer({ models: [Product], seed })))
