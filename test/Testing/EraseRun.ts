/**
 * Erasures in a `TestCluster`, drawn from a seed: records change and are erased while nodes crash, stand still, lag behind
 * snapshots, and leave for new machines that join as learners and fetch the history from their peers. In the end nothing tells an
 * erased value: no byte of any disk, no archive, no history, no stream of changes, no projection, no remembered outcome.
 * All that was not erased is there, and all states are equal. Fails as a defect otherwise. docs/operating.md.
 */
import { assert } from "@effect/vitest"
import { Effect, Result, Stream } from "effect"
import { takeArchive } from "../../src/Backup/TakeArchive.ts"
import { Member } from "../../src/Cluster/Member.ts"
import { lastErasure } from "../../src/Machine/Erasure.ts"
import { stateHash } from "../../src/Machine/Tables.ts"
import * as Repository from "../../src/Repository.ts"
import { TestCluster } from "../../src/Testing.ts"
import { seeded } from "../Machine/Seeded.ts"
import { Note, texts } from "./ErasedNotes.ts"

/** How often something happened, over all runs: one in which nothing did proves nothing. */
export interface Counts {
  readonly written: number
  readonly erased: number
  readonly crashes: number
  readonly learners: number
}

/** A write that was acknowledged. Its value is in the record, in the local part, and under the key. */
interface Written {
  readonly id: string
  readonly value: string
  readonly key: string
  /** Its place among all that was acknowledged: one thing is asked at a time. */
  readonly order: number
}

const ids = Array.from({ length: 12 }, (_, at) => `n${at}`)
const last = "end"

/** Virtual time in which a write, an erasure, or a member ends its work once all is well. */
const waitMs = 3_000
const calmMs = 20_000

const write = (id: string, value: string, key: string) =>
  Effect.gen(function* () {
    const notes = yield* Repository.make(Note)
    yield* notes.put(id, { text: value, draft: `${value} here` }, { key })
  }).pipe(Effect.timeout(waitMs), Effect.result)

const erase = (id: string) =>
  Effect.flatMap(Member, (member) =>
    member.administer({ _tag: "EraseRecord", admitted: "this-host", model: "Note", id })
  ).pipe(Effect.timeout(waitMs), Effect.result)

const change = (change: Parameters<typeof changing>[0]) =>
  Effect.flatMap(Member, (member) => member.administer(changing(change))).pipe(Effect.timeout(waitMs), Effect.result)
const changing = (
  change: Extract<Parameters<Member["Service"]["administer"]>[0], { readonly _tag: "ChangeMembers" }>["change"]
) => ({ _tag: "ChangeMembers", admitted: "this-host", change }) as const

const historyOf = Effect.fnUntraced(function* (id: string) {
  const notes = yield* Repository.make(Note)
  const items: Array<unknown> = []
  let cursor: string | undefined
  do {
    const page = yield* notes.history(id, cursor === undefined ? {} : { cursor })
    if (page._tag === "None") return items
    items.push(...page.value.items)
    cursor = page.value.next
  } while (cursor !== undefined)
  return items
})

/** All that the services of a node tell of the past and the present. */
const told = Effect.gen(function* () {
  const notes = yield* Repository.make(Note)
  const { projections } = yield* Repository.Repository
  const member = yield* Member
  const found: Array<unknown> = []
  for (const id of ids) {
    found.push(...(yield* historyOf(id)))
    found.push(yield* projections.getKey(texts, id))
  }
  found.push(
    ...(yield* notes.changes({ after: "0" }).pipe(
      Stream.takeWhile((each) => each.type === "bookmark" || each.id !== last),
      Stream.runCollect
    ))
  )
  const archives = yield* Effect.forEach([{ after: 0 }, {}], (taking) =>
    Effect.scoped(
      Effect.flatMap(takeArchive(member, taking), ({ bytes }) =>
        Effect.map(Stream.runCollect(bytes), (parts) => Buffer.concat(parts).toString("latin1"))
      )
    )
  )
  return `${JSON.stringify(found)}${archives.join("")}`
})

const standing = Effect.map(Member, ({ erasing, tables }) => ({
  through: erasing.erasedThrough(),
  last: lastErasure(tables),
  hash: stateHash(tables)
}))

export const run = (seed: number): Effect.Effect<Counts, unknown> =>
  Effect.gen(function* () {
    const { advance, crash, files, heal, leader, nodes, on, partition, pause, restart, resume, settle, weather, wipe } =
      yield* TestCluster
    const { below } = seeded(seed)
    const pick = <A>(of: ReadonlyArray<A>): A => of[below(of.length)]!
    const counts = { written: 0, erased: 0, crashes: 0, learners: 0 }
    const down = new Set<string>()
    const written: Array<Written> = []
    /** By id, the place of its last acknowledged erasure; and the ids whose erasure may have been decided. */
    const erasedAt = new Map<string, number>()
    const maybeErased = new Set<string>()
    let number = 0

    const isWell = Effect.gen(function* () {
      for (const each of down) yield* restart(each)
      down.clear()
      yield* heal
      yield* weather({})
      yield* settle
    })

    /** A member leaves for good, and a new machine of the same name joins as a learner. */
    const replace = (node: string) =>
      Effect.gen(function* () {
        yield* isWell
        const left = nodes.filter((each) => each !== node)
        const removed = yield* on(pick(left), change({ _tag: "Remove", id: node }))
        if (Result.isFailure(removed) || removed.success._tag !== "Done") return
        yield* advance(1_000)
        yield* wipe(node)
        yield* restart(node)
        const { instanceId } = yield* on(
          node,
          Effect.map(Member, ({ self }) => self)
        )
        const member = { id: node, address: node, instanceId }
        for (let tries = 0; tries < 20; tries++) {
          const added = yield* on(pick(left), change({ _tag: "AddLearner", member, autoPromote: true }))
          if (Result.isSuccess(added) && added.success._tag === "Done") break
          yield* advance(500)
        }
        counts.learners += 1
      })

    yield* weather({ lostPerMille: below(10), twicePerMille: below(20), latencyMaxMs: 1 + below(20) })
    for (let act = 0; act < 40; act++) {
      const node = pick(nodes)
      switch (below(12)) {
        case 0:
        case 1:
          if (down.size > 0) break
          yield* crash(node)
          down.add(node)
          counts.crashes += 1
          break
        case 2:
          for (const each of down) yield* restart(each)
          down.clear()
          break
        case 3:
          yield* partition([node])
          break
        case 4:
          yield* heal
          break
        case 5:
          yield* pause(node)
          yield* advance(below(1_000))
          yield* resume(node)
          break
        case 6:
          if (below(3) === 0) yield* replace(node)
          break
        default:
          yield* advance(below(400))
      }
      for (let count = below(8); count > 0; count--) {
        const id = pick(ids)
        const value = `secret-${id}-${++number}.`
        const key = `k${number}`
        const done = yield* Effect.result(on(pick(nodes), write(id, value, key)))
        if (Result.isFailure(done) || Result.isFailure(done.success)) continue
        written.push({ id, value, key, order: ++number })
        counts.written += 1
      }
      if (below(2) > 0) continue
      const id = pick(ids)
      maybeErased.add(id)
      const asked = yield* Effect.result(on(pick(nodes), erase(id)))
      if (Result.isFailure(asked) || Result.isFailure(asked.success)) continue
      const { success: erased } = asked.success
      if (erased._tag !== "Erased") continue
      const order = ++number
      erasedAt.set(id, order)
      counts.erased += 1
      // From now on nobody is told, though the files still have it.
      const read = yield* Effect.result(on(pick(nodes), Effect.timeout(historyOf(id), waitMs)))
      if (Result.isFailure(read)) continue
      const gone = written.filter((each) => each.id === id && each.order < order)
      for (const { value } of gone) assert.isFalse(JSON.stringify(read.success).includes(value), `${value} is told`)
    }
    yield* isWell
    yield* advance(calmMs)
    yield* settle
    yield* on(yield* leader, write(last, "the end", "end"))
    yield* settle

    const isErased = ({ id, order }: Written): boolean => order < (erasedAt.get(id) ?? 0)
    const gone = written.filter(isErased)
    const kept = written.filter(({ id }) => !maybeErased.has(id))
    const standings = yield* Effect.forEach(nodes, (node) => on(node, standing))
    for (const [at, node] of nodes.entries()) {
      assert.strictEqual(standings[at]!.hash, standings[0]!.hash, `${node} has the state of the others`)
      assert.strictEqual(standings[at]!.through, standings[at]!.last, `${node} has erased all`)
      for (const { bytes, name } of yield* files(node)) {
        const text = Buffer.from(bytes).toString("latin1")
        for (const { value } of gone) assert.isFalse(text.includes(value), `${node}: ${name} holds ${value}`)
      }
      const all = yield* on(node, told)
      for (const { value } of gone) assert.isFalse(all.includes(value), `${node} tells ${value}`)
      for (const { value } of kept) assert.isTrue(all.includes(value), `${node} does not tell ${value}`)
      for (const { id, key, value } of gone.slice(-10)) {
        const again = yield* on(node, write(id, value, key))
        assert.isTrue(Result.isFailure(again), `${node} answers the key of ${value}`)
        assert.isFalse(JSON.stringify(again).includes(value), `${node} tells ${value} under its key`)
      }
    }
    return counts
  }).pipe(
    Effect.provide(
      TestCluster.layer({
        models: [Note],
        projections: [texts],
        raft: { snapshotAfterBytes: 4_000, logRetainedCount: 10 },
        seed,
        size: 4,
        tamperEvident: seed % 2 === 0
      })
    ),
    Effect.scoped
  )
