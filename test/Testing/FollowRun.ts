/**
 * Followers in a `TestCluster`, drawn from a seed: live queries and streams of changes on every node, while records change
 * and nodes crash, stand still and lose their network. A follower whose node ends or is left goes on at another one by the
 * id of its last event. Fails as a defect where a page is not the list of its index, or a change is missing, comes twice
 * or out of order. The judge is the log itself, read once at the end: docs/live.md, docs/http.md.
 */
import { assert } from "@effect/vitest"
import { Effect, Exit, Fiber, Schema, type Scope, Stream } from "effect"
import { type HttpClient, HttpClientRequest } from "effect/http"
import type { AppliedEntry } from "../../src/Cluster/Feed.ts"
import { Member } from "../../src/Cluster/Member.ts"
import * as Model from "../../src/Model.ts"
import * as Repository from "../../src/Repository.ts"
import { TestCluster } from "../../src/Testing.ts"
import { seeded } from "../Machine/Seeded.ts"
import { eventsOf, type Told } from "../support/EventStream.ts"
import { type Followed, type Page, pageAfter, type Query, queryOf, Truth } from "./FollowTruth.ts"

class Item extends Model.Class<Item>("Item")(
  { id: Model.id(Schema.String), group: Model.replicate(Schema.String), rank: Schema.Int },
  { indexes: ["group"] }
) {}

/** How often something happened, over all runs: one in which nothing did proves nothing. */
export interface Counts {
  readonly pages: number
  readonly changes: number
  readonly moves: number
  readonly crashes: number
}

type Random = ReturnType<typeof seeded>

/** One reader, on one node after another. */
interface Reader {
  readonly path: string
  readonly take: (told: Told<Followed>) => void
  lastId: string | undefined
  node: string | undefined
  fiber: Fiber.Fiber<void, unknown> | undefined
}

const idsCount = 24
const groups = ["a", "b", "c"] as const
const nameOf = (at: number): string => `i${String(at).padStart(2, "0")}`

const drawQuery = ({ below, pick }: Random): Query => ({
  group: below(3) === 0 ? undefined : pick(groups),
  leastRank: below(3) === 0 ? below(4) : undefined,
  order: pick(["id.asc", "id.desc", "rank.asc", "rank.desc"]),
  limit: 1 + below(5),
  // Without it, the first page asks a quorum, and the id of the last event asks nothing more.
  isLocal: below(2) === 0
})

/** A follower of a live query, and what it has seen: the page at each index that it was told. */
const liveReader = (query: Query) => {
  const seen: Array<{ readonly index: number; readonly page: Page }> = []
  let page: Page | undefined
  const reader: Reader = {
    path: `/api/items/live?${queryOf(query)}`,
    take: ({ data, event }) => {
      if (event === "end") return
      page = pageAfter(page, event, data)
      if (page !== undefined) seen.push({ index: data.index, page })
    },
    lastId: undefined,
    node: undefined,
    fiber: undefined
  }
  return { query, reader, seen }
}

/** A follower of changes, and what it has seen. */
const changesReader = (begin: "after=0" | "initial=true") => {
  const seen: Array<Told<Followed>> = []
  const reader: Reader = {
    path: `/api/items/changes?${begin}`,
    take: (told) => {
      if (told.event !== "end") seen.push(told)
    },
    lastId: undefined,
    node: undefined,
    fiber: undefined
  }
  return { begin, reader, seen }
}

const readFrom = ({ lastId, path }: Reader): HttpClientRequest.HttpClientRequest =>
  HttpClientRequest.get(path).pipe(
    lastId === undefined ? (it) => it : HttpClientRequest.setHeader("last-event-id", lastId)
  )

/**
 * Begins to read on a node. The reader goes on in the time of that node, beside whatever the test does. Its connection
 * breaks off after so many events, also within an entry or a first state.
 */
const begin = (
  reader: Reader,
  node: string,
  eventsMax = Number.POSITIVE_INFINITY
): Effect.Effect<void, never, TestCluster | Scope.Scope> =>
  Effect.gen(function* () {
    const { on } = yield* TestCluster
    const scope = yield* Effect.scope
    const reading: Effect.Effect<void, unknown, HttpClient.HttpClient> = Stream.runForEach(
      Stream.take(eventsOf<Followed>(readFrom(reader)), eventsMax),
      (told) =>
        Effect.sync(() => {
          reader.take(told)
          // The end of a stream has no id: the follower goes on where it was.
          if (told.id !== undefined && told.event !== "end") reader.lastId = told.id
        })
    )
    const begun = yield* Effect.exit(on(node, Effect.forkIn(reading, scope)))
    reader.node = Exit.isSuccess(begun) ? node : undefined
    reader.fiber = Exit.isSuccess(begun) ? begun.value : undefined
  })

/** Leaves the node. What has come counts. */
const leave = (reader: Reader): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { fiber } = reader
    reader.fiber = undefined
    reader.node = undefined
    return fiber === undefined ? Effect.void : Effect.asVoid(Fiber.interrupt(fiber))
  })

/** Changes of more records than a reader is told in one step. */
const manyAt = (rank: number) =>
  Array.from({ length: 70 }, (_, at) => Repository.put(Item, nameOf(at), { group: "c", rank }))

const fill = ({ below }: Random) =>
  Effect.flatMap(Repository.Repository, ({ transact }) => transact(manyAt(10 + below(1_000)))).pipe(
    Effect.timeout("3 seconds")
  )

/** Changes one record or several. What becomes of it is in the log. */
const write = ({ below, pick }: Random) =>
  Effect.gen(function* () {
    const { records, transact } = yield* Repository.Repository
    const { create, delete: remove, patch, put } = records(Item)
    const id = nameOf(below(idsCount))
    const row = () => ({ group: pick(groups), rank: below(6) })
    switch (below(8)) {
      case 0:
        return yield* create({ id, ...row() })
      case 1:
        return yield* remove(id)
      case 2:
        return yield* patch(id, { rank: below(6) })
      case 3:
        return yield* patch(id, { group: pick(groups) })
      case 4: {
        const ids = Array.from({ length: 2 + below(4) }, () => nameOf(below(idsCount)))
        return yield* transact([...new Set(ids)].map((each) => Repository.put(Item, each, row())))
      }
      case 5: {
        if (below(4) > 0) return yield* put(id, row())
        const rank = 10 + below(1_000)
        return yield* transact(manyAt(rank))
      }
      default:
        return yield* put(id, row())
    }
  }).pipe(Effect.timeout("3 seconds"), Effect.exit)

/** All entries of the log, by a node that has applied all. */
const wholeLog = Effect.gen(function* () {
  const { feed } = yield* Member
  const entries: Array<AppliedEntry> = []
  while (entries.length < feed.appliedIndex()) {
    entries.push(...(yield* feed.read({ fromIndex: entries.length + 1, maxBytes: 1_000_000 })))
  }
  return entries
})

export const run = (seed: number): Effect.Effect<Counts, unknown> =>
  Effect.gen(function* () {
    const { advance, crash, heal, leader, nodes, on, partition, pause, restart, resume, settle, weather } =
      yield* TestCluster
    const random = seeded(seed)
    const { below } = random
    const pick = <A>(of: ReadonlyArray<A>): A => of[below(of.length)]!
    const counts = { pages: 0, changes: 0, moves: 0, crashes: 0 }
    const down = new Set<string>()
    const live = Array.from({ length: 6 }, () => liveReader(drawQuery(random)))
    const changes = (["after=0", "after=0", "initial=true", "initial=true"] as const).map(changesReader)
    const readers = [...live, ...changes].map(({ reader }) => reader)
    /** A first state of many records comes in several steps. */
    const latecomers = new Set(changes.filter(({ begin }) => begin === "initial=true").map(({ reader }) => reader))

    yield* weather({ lostPerMille: below(10), twicePerMille: below(20), latencyMaxMs: 1 + below(20) })
    for (let act = 0; act < 40; act++) {
      if (act === 20) yield* Effect.ignore(on(pick(nodes), fill(random)))
      for (const reader of readers) {
        if (act <= 20 && latecomers.has(reader)) continue
        const hasEnded = reader.fiber === undefined || reader.fiber.pollUnsafe() !== undefined
        const isCut = reader.node !== undefined && down.has(reader.node)
        if (!hasEnded && !isCut && below(12) > 0) continue
        yield* leave(reader)
        const up = nodes.filter((node) => !down.has(node))
        const eventsMax = below(2) === 0 ? 1 + below(60) : undefined
        if (up.length > 0) yield* begin(reader, pick(up), eventsMax)
        if (reader.lastId !== undefined) counts.moves += 1
      }
      const node = pick(nodes)
      switch (below(9)) {
        case 0:
          if (down.size === 0) {
            yield* crash(node)
            down.add(node)
            counts.crashes += 1
          }
          break
        case 1:
          for (const each of down) yield* restart(each)
          down.clear()
          break
        case 2:
          yield* partition([node])
          break
        case 3:
          yield* heal
          break
        case 4:
          yield* pause(node)
          yield* advance(`${below(1_000)} millis`)
          yield* resume(node)
          break
        case 5:
          yield* advance(`${below(2_000)} millis`)
          break
        default:
          yield* advance(`${below(60)} millis`)
      }
      for (let count = below(5); count > 0; count--) {
        const writer = pick(nodes)
        yield* Effect.ignore(on(writer, write(random)))
      }
    }
    yield* heal
    for (const each of down) yield* restart(each)
    yield* weather({})
    yield* settle
    // Streams that were refused or cut meanwhile go on, and all come to the end.
    for (let round = 0; round < 3; round++) {
      for (const reader of readers) {
        if (reader.fiber !== undefined && reader.fiber.pollUnsafe() === undefined) continue
        yield* leave(reader)
        yield* begin(reader, pick(nodes))
      }
      yield* advance("12 seconds")
    }
    const truth = Truth.of(yield* on(yield* leader, wholeLog))
    for (const { query, reader, seen } of live) {
      assert.isAbove(seen.length, 0, `nothing was told of ${reader.path}`)
      let lastIndex = 0
      for (const { index, page } of seen) {
        assert.isAtLeast(index, lastIndex, `${reader.path} goes back`)
        lastIndex = index
        assert.deepStrictEqual(page, truth.listAt(index, query), `${reader.path} at ${index}`)
      }
      assert.isAtLeast(lastIndex, truth.lastChanged, `${reader.path} does not come to the end`)
      counts.pages += seen.length
    }
    for (const { begin, seen } of changes) {
      truth.judgeChanges(begin, seen)
      counts.changes += seen.length
    }
    for (const reader of readers) yield* leave(reader)
    return counts
  }).pipe(Effect.provide(TestCluster.layer({ models: [Item], seed })), Effect.scoped)
