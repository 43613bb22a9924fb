/**
 * A rolling upgrade to a new version of a model in a `TestCluster`, drawn from a seed: in which order the nodes get the
 * release, who crashes meanwhile, what the weather is, who goes back. A step of the new version is no function, so each node
 * reads another number until the leader's is stored. Fails as a defect where a promise of docs/evolution.md is broken.
 */
import { assert } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { HttpClient } from "effect/http"
import * as Model from "../../src/Model.ts"
import { Repository } from "../../src/Repository.ts"
import { TestCluster } from "../../src/Testing.ts"
import { seeded } from "../Machine/Seeded.ts"

const id = Model.id(Schema.String)

class Former extends Model.Class<Former>("Item")({ id, name: Model.replicate(Schema.String) }) {}

let drawn = 0
class Present extends Model.Class<Present>("Item")(
  { id, title: Model.replicate(Schema.String), number: Schema.Int },
  {
    version: 2,
    indexes: ["number"],
    lift: Model.from(1, { id: Schema.String, name: Schema.String })
      .rename("name", "title")
      .map((record) => ({ ...record, number: ++drawn }))
      .to(2)
  }
) {}

const Status = Schema.fromJsonString(
  Schema.Struct({
    items: Schema.optionalKey(
      Schema.Array(
        Schema.Struct({ active: Schema.NullOr(Schema.Int), stored: Schema.Record(Schema.String, Schema.Int) })
      )
    ),
    stateHash: Schema.optionalKey(Schema.String),
    stateDifference: Schema.optionalKey(Schema.Json)
  })
)
const status = (path: string) =>
  Effect.flatMap(
    Effect.flatMap(HttpClient.get(path), ({ text }) => text),
    Schema.decodeUnknownEffect(Status)
  )

const recordsCount = 300

/** How often something happened, over all runs: one in which nothing did proves nothing. */
export interface Counts {
  readonly refused: number
  readonly written: number
  readonly crashes: number
}

export const run = (seed: number): Effect.Effect<Counts, unknown> =>
  Effect.gen(function* () {
    const { advance, crash, leader, nodes, on, restart, settle, upgrade, weather } = yield* TestCluster
    const random = seeded(seed)
    const pick = <A>(of: ReadonlyArray<A>): A => of[random.below(of.length)]!
    const counts = { refused: 0, written: 0, crashes: 0 }
    const releaseOf = new Map(nodes.map((node) => [node, "former"]))
    /** By id: the version that a record must have. */
    const versions = new Map<string, number>()
    const first = yield* leader
    yield* on(
      first,
      Effect.gen(function* () {
        const { records } = yield* Repository
        for (let at = 0; at < recordsCount; at++) yield* records(Former).create({ id: `r${at}`, name: "n" })
      })
    )
    for (let at = 0; at < recordsCount; at++) versions.set(`r${at}`, 1)
    yield* weather({
      lostPerMille: random.below(20),
      twicePerMille: random.below(20),
      latencyMaxMs: 1 + random.below(10)
    })

    const install = (node: string, release: string) =>
      Effect.gen(function* () {
        releaseOf.set(node, release)
        yield* upgrade(release, node)
        yield* settle
      })
    /** Changes a record on a node, by the release of the node. */
    const write = (node: string) =>
      Effect.gen(function* () {
        const key = `r${random.below(recordsCount)}`
        const isFormer = releaseOf.get(node) === "former"
        const { records } = yield* Repository
        const text = `n${random.below(1_000_000)}`
        const patched = isFormer
          ? Effect.map(records(Former).patch(key, { name: text }), ({ version }) => version)
          : Effect.map(records(Present).patch(key, { title: text }), ({ version }) => version)
        const done = yield* Effect.result(patched)
        if (Result.isFailure(done)) {
          counts.refused += 1
          // Only a certain refusal says which version the record has.
          const { kind } = done.failure as { readonly kind?: string }
          if (kind !== "upgrade-pending" && kind !== "upgrade-required" && kind !== "no-quorum") versions.delete(key)
          return
        }
        counts.written += 1
        const version = done.success
        assert.strictEqual(version, (versions.get(key) ?? version - 1) + 1, `a change of ${key} counts one`)
        versions.set(key, version)
      })
    const isMixed = (): boolean => [...releaseOf.values()].includes("former")
    const observe = Effect.gen(function* () {
      const seen = yield* Effect.result(on(pick(nodes), status("/_admin/api/models")))
      const active = Result.isSuccess(seen) ? seen.success.items?.[0]?.active : undefined
      if (isMixed() && active !== undefined) assert.strictEqual(active, 1, "active before every member has it")
    })

    for (let act = 0; act < 12; act++) {
      const node = pick(nodes)
      switch (random.below(6)) {
        case 0:
          yield* install(node, "present")
          break
        case 1:
          // Back to the former release, which is allowed as long as one member has it.
          if (releaseOf.get(node) === "present" && isMixed()) yield* install(node, "former")
          break
        case 2:
          yield* crash(node)
          yield* advance(`${random.below(3_000)} millis`)
          yield* restart(node)
          yield* settle
          counts.crashes += 1
          break
        default:
          yield* advance(`${random.below(1_500)} millis`)
      }
      const writer = pick(nodes)
      yield* Effect.catchTag(on(writer, write(writer)), "NodeDown", () => Effect.void)
      yield* observe
    }
    for (const node of nodes) if (releaseOf.get(node) === "former") yield* install(node, "present")
    for (let at = 0; at < 3; at++) {
      yield* advance(`${500 + random.below(1_500)} millis`)
      const former = yield* leader
      yield* crash(former)
      yield* advance(`${random.below(1_500)} millis`)
      yield* restart(former)
      yield* settle
      counts.crashes += 1
    }
    yield* weather({})
    yield* advance("15 seconds")
    yield* settle
    for (const node of nodes) {
      const { items } = yield* on(node, status("/_admin/api/models"))
      assert.deepStrictEqual(items?.[0], { active: 2, stored: { 2: recordsCount } }, `${node} has stored all anew`)
      const cluster = yield* on(node, status("/_admin/api/cluster"))
      assert.isNull(cluster.stateDifference, `${node} differs`)
    }
    const hashes = yield* Effect.forEach(nodes, (node) => on(node, status("/_admin/api/cluster")))
    assert.strictEqual(new Set(hashes.map(({ stateHash }) => stateHash)).size, 1, "equal states")
    for (const [key, version] of versions) {
      const { headers } = yield* on(pick(nodes), HttpClient.get(`/api/items/${key}`))
      assert.strictEqual(headers.etag, `"${version};2"`, `the version of ${key}`)
    }
    return counts
  }).pipe(
    Effect.provide(
      TestCluster.layer({
        models: [Former],
        seed,
        releases: { former: { models: [Former] }, present: { models: [Present] } }
      })
    ),
    Effect.scoped
  )
