/** What is done to the nodes of a harmed cluster, drawn from its seed: which kinds at all, and then one after another. */
import { Effect, Random } from "effect"
import { Member } from "../../src/Cluster/Member.ts"
import { TestCluster, type Weather } from "../../src/Testing.ts"

/** How long harm lasts, and how long there is none: one of these for each run. */
const respitesMaxMs = [500, 3_000]
/** A write that takes longer than 1 s is a stall. */
const slowDiskMaxMs = 1_500

export const below = (bound: number) => Random.nextIntBetween(0, bound, { halfOpen: true })
export const anyOf = <A>(from: ReadonlyArray<A>) => Effect.map(below(from.length), (at) => from[at]!)
const rather = (perMille: number) => Effect.map(below(1_000), (drawn) => drawn < perMille)

const kinds = ["part", "silence", "crash", "crashAll", "restart", "pause", "slowDisk", "failDisk", "handOver"] as const

const leaderSeen = Member.use((member) => Effect.sync(member.leader))
const handOver = Member.use((member) =>
  Effect.exit(member.administer({ _tag: "TransferLeadership", admitted: "this-host" }))
)

/** Messages that are lost, late or doubled, or none of that. */
const drawWeather = Effect.gen(function* () {
  const [isLossy, isDoubling, isSlow] = [yield* rather(400), yield* rather(400), yield* rather(300)]
  return {
    ...(isLossy ? { lostPerMille: 1 + (yield* below(60)) } : {}),
    ...(isDoubling ? { twicePerMille: 1 + (yield* below(60)) } : {}),
    ...(isSlow ? { latencyMaxMs: 10 + (yield* below(70)) } : {})
  } satisfies Weather
})

/** What is harmed, until it is mended. */
export interface Harmed {
  readonly down: Set<string>
  readonly paused: Set<string>
}

/** Harms nodes, for ever, and mostly undoes it soon; half of the time it aims at whoever leads. */
export const harm = Effect.fnUntraced(function* (harmed: Harmed) {
  const { advance, crash, disk, nodes, on, partition, pause, restart, weather } = yield* TestCluster
  const { down, paused } = harmed
  const drawn = yield* Effect.filter(kinds, () => rather(600))
  const all = drawn.length === 0 ? kinds : drawn
  const respiteMaxMs = yield* anyOf(respitesMaxMs)
  let climate: Weather = yield* drawWeather
  yield* weather(climate)

  const act = Effect.fnUntraced(function* (kind: (typeof kinds)[number], victim: string) {
    switch (kind) {
      case "part":
        return yield* partition([victim])
      case "silence": {
        const other = yield* anyOf(nodes.filter((node) => node !== victim))
        const isDeaf = yield* Random.nextBoolean
        const link = isDeaf ? { from: other, to: victim } : { from: victim, to: other }
        return yield* weather({ ...climate, silent: [link] })
      }
      case "crash":
        down.add(victim)
        paused.delete(victim)
        return yield* crash(victim)
      case "crashAll":
        down.clear()
        paused.clear()
        return yield* restart(...nodes)
      case "restart":
        down.delete(victim)
        paused.delete(victim)
        return yield* restart(victim)
      case "pause":
        paused.add(victim)
        return yield* pause(victim)
      case "slowDisk":
        return yield* disk(victim, { delayMs: yield* below(slowDiskMaxMs) })
      case "failDisk":
        if (down.has(victim)) return
        down.add(victim)
        return yield* disk(victim, "fails")
      case "handOver":
        // Whoever waits for it may wait for a node that stands still.
        return yield* Effect.asVoid(Effect.forkChild(Effect.ignore(on(victim, handOver))))
    }
  })

  while (true) {
    const asked = yield* anyOf(nodes)
    // One that stands still says nothing before it goes on.
    const seen = paused.has(asked)
      ? undefined
      : yield* on(asked, leaderSeen).pipe(Effect.orElseSucceed(() => undefined))
    yield* act(yield* anyOf(all), (yield* Random.nextBoolean) ? (seen ?? asked) : asked)
    yield* advance(yield* below(respiteMaxMs))
    if (yield* rather(300)) continue
    climate = yield* drawWeather
    yield* weather(climate)
    yield* mend(harmed)
    yield* advance(yield* below(respiteMaxMs))
  }
})

/** Undoes all but the weather. */
export const mend = Effect.fnUntraced(function* ({ down, paused }: Harmed) {
  const { disk, heal, nodes, on, restart, resume } = yield* TestCluster
  yield* heal
  yield* resume(...nodes)
  yield* Effect.forEach(nodes, (node) => disk(node, { delayMs: 0 }), { discard: true })
  // Harm that was interrupted may have left others down.
  const isDown = (node: string) =>
    Effect.match(on(node, Effect.void), { onFailure: () => true, onSuccess: () => false })
  const stopped = yield* Effect.filter(nodes, isDown)
  yield* restart(...new Set([...down, ...stopped]))
  down.clear()
  paused.clear()
})
