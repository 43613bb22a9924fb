/**
 * Harms a cluster of real nodes, in an order that a seed decides: cuts and slows links, one way and both, breaks
 * connections, pauses, kills and restarts nodes, several at once too. It logs its harm, and can undo all of it.
 */
import { Effect } from "effect"
import { seeded } from "../Machine/Seeded.ts"
import { allReady, eventually, expectThat, type TestNode } from "./Processes.ts"
import type { Proxies } from "./Proxies.ts"

export interface Nemesis {
  /** Harms and partly undoes it, until told that it is over; then undoes all, and ends when all nodes are ready. */
  readonly run: (isOver: () => boolean) => Effect.Effect<void, Error>
  /** The log of harm: one line with the time for each. */
  readonly log: ReadonlyArray<string>
}

/** How long harm lasts before the next: from a heartbeat to several elections. */
const dwellMinMs = 50
const dwellMaxMs = 1_500
/** How much clients may do between two rounds, and how long that may take before harm meets harm all the same. */
const respiteCount = 50
const respiteMaxMs = 5_000

export const makeNemesis = (options: {
  readonly seed: number
  readonly nodes: ReadonlyArray<TestNode>
  readonly proxies: Proxies
  /** The leader, if it is known: half of the harm is aimed at it. */
  readonly leader: () => string | undefined
  /** How much clients got done so far. */
  readonly doneCount: () => number
}): Nemesis => {
  const { nodes, proxies } = options
  const { below } = seeded(options.seed)
  const startedMs = performance.now()
  const log: Array<string> = []
  const paused = new Set<TestNode>()
  const killed = new Set<TestNode>()

  const say = (what: string): void => void log.push(`${((performance.now() - startedMs) / 1000).toFixed(1)} s: ${what}`)
  const any = <A>(from: ReadonlyArray<A>): A => from[below(from.length)]!
  const leading = (): TestNode => nodes.find(({ id }) => id === options.leader()) ?? any(nodes)
  const aim = (): TestNode => (below(2) === 0 ? leading() : any(nodes))
  const cut = (from: TestNode, to: TestNode): void => proxies.cut({ from: from.port, to: to.port })

  /** From a node to some of the others, from some of the others to it, or both. */
  const cutLinks = Effect.sync(() => {
    const one = aim()
    const others = nodes.filter((node) => node !== one)
    const from = below(3) === 0 ? [any(others)] : others
    const ways = any(["out", "in", "both"])
    for (const other of from) {
      if (ways !== "in") cut(one, other)
      if (ways !== "out") cut(other, one)
    }
    say(`cut ${one.port} ${ways} ${from.map(({ port }) => port).join(" ")}`)
  })
  const slow = Effect.sync(() => {
    const from = aim()
    const delayMs = 10 + below(400)
    for (const to of nodes) if (to !== from) proxies.delay({ from: from.port, to: to.port, delayMs })
    say(`slow ${from.port} by ${delayMs} ms`)
  })
  const reset = Effect.sync(() => {
    const one = aim()
    for (const other of nodes) if (other !== one) proxies.reset(one.port, other.port)
    say(`reset ${one.port}`)
  })
  /** Its entries are lost with their connections, and its beats go on. */
  const resetBulk = Effect.sync(() => {
    const one = aim()
    for (const other of nodes) if (other !== one) proxies.resetBulk(one.port, other.port)
    say(`reset bulk of ${one.port}`)
  })
  const cutBulk = Effect.sync(() => {
    const one = aim()
    for (const other of nodes) if (other !== one) proxies.cutBulk({ from: one.port, to: other.port })
    say(`cut bulk of ${one.port}`)
  })
  const pause = Effect.suspend(() => {
    const node = aim()
    if (killed.has(node) || paused.has(node)) return Effect.void
    paused.add(node)
    say(`pause ${node.port}`)
    return node.signal("SIGSTOP")
  })
  const kill = Effect.suspend(() => {
    const node = aim()
    if (killed.has(node)) return Effect.void
    killed.add(node)
    paused.delete(node)
    say(`kill ${node.port}`)
    return node.stop("SIGKILL")
  })
  const killAll = Effect.suspend(() => {
    for (const node of nodes) killed.add(node)
    paused.clear()
    say("kill all")
    return Effect.forEach(nodes, (node) => node.stop("SIGKILL"), { concurrency: "unbounded", discard: true })
  })

  /** A leader wakes up alone, deposed long ago without notice: any read that it still answers is stale (diss. 6.4). */
  const strand = Effect.gen(function* () {
    const node = leading()
    if (killed.has(node) || paused.has(node)) return
    say(`strand ${node.port}`)
    yield* node.signal("SIGSTOP")
    for (const other of nodes) {
      if (other === node) continue
      cut(node, other)
      cut(other, node)
    }
    yield* Effect.sleep(500 + below(1_000))
    yield* node.signal("SIGCONT")
  })

  const heal = Effect.sync(() => {
    proxies.heal()
    say("heal")
  })
  const resume = Effect.suspend(() =>
    Effect.forEach([...paused], (node) => {
      paused.delete(node)
      say(`resume ${node.port}`)
      return node.signal("SIGCONT")
    })
  )
  const restart = Effect.suspend(() =>
    Effect.forEach([...killed], (node) => {
      killed.delete(node)
      say(`restart ${node.port}`)
      return node.start
    })
  )

  const harms = [
    cutLinks,
    cutLinks,
    cutLinks,
    cutLinks,
    slow,
    reset,
    resetBulk,
    cutBulk,
    pause,
    pause,
    strand,
    strand,
    kill,
    kill,
    kill
  ]
  /** A node that ends by itself has found something out: nothing that is done here is a reason to. */
  const noneEnded = Effect.suspend(() => {
    const ended = nodes.find((node) => !killed.has(node) && !node.isRunning())
    // While it was dead, a connection of somebody else may have been given its port.
    if (/listen EADDRINUSE.*\n$/.test(ended?.output() ?? "")) return ended!.start
    return ended === undefined ? Effect.void : Effect.fail(new Error(`${ended.id} ended by itself: ${ended.output()}`))
  })
  /** Time to recover: there is little to break in a cluster that has not done anything since. */
  const respite = Effect.suspend(() => {
    const target = options.doneCount() + below(2 * respiteCount)
    const enough = Effect.suspend(() => expectThat(options.doneCount() >= target, "clients get something done"))
    return Effect.ignore(eventually("clients get something done", enough, below(respiteMaxMs)))
  })
  const dwell = Effect.suspend(() => Effect.sleep(dwellMinMs + below(dwellMaxMs - dwellMinMs)))

  return {
    log,
    run: (isOver) =>
      Effect.gen(function* () {
        while (!isOver()) {
          const count = 1 + below(3)
          for (let done = 0; done < count; done++) {
            yield* below(40) === 0 ? killAll : any(harms)
            yield* Effect.sleep(below(500))
          }
          yield* dwell
          yield* noneEnded
          // Not always all of it: new harm meets the rest of earlier harm.
          for (const undo of [heal, resume, restart]) if (below(10) < 8) yield* undo
          yield* respite
        }
        yield* heal
        yield* resume
        yield* restart
        yield* Effect.raceFirst(allReady(nodes), Effect.forever(Effect.delay(noneEnded, "100 millis")))
      })
  }
}
