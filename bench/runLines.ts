/** Runs lines of the benchmark, on the systems that are there, and shows or keeps what they found. */
import { mkdirSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { bare } from "./Bare.ts"
import { charts } from "./Charts.ts"
import { measureDiskFloor } from "./DiskFloor.ts"
import { etcd, etcdVersion } from "./Etcd.ts"
import { checkout, lithair, onNode } from "./Lithair.ts"
import { access } from "./lines/access.ts"
import { catchUp } from "./lines/catchUp.ts"
import { projections, reads, transactions, writes } from "./lines/closed.ts"
import { cluster } from "./lines/cluster.ts"
import { failover } from "./lines/failover.ts"
import type { Line } from "./lines/Line.ts"
import { live } from "./lines/live.ts"
import { memory } from "./lines/memory.ts"
import { openLoop } from "./lines/openLoop.ts"
import { overload } from "./lines/overload.ts"
import { records } from "./lines/records.ts"
import { restart } from "./lines/restart.ts"
import { snapshots } from "./lines/snapshots.ts"
import { orTell } from "./Measure.ts"
import { readOptions } from "./Options.ts"
import { report } from "./Report.ts"
import { rate } from "./Statistics.ts"
import type { System } from "./Systems.ts"

const lines: Readonly<Record<string, Line>> = {
  writes,
  reads,
  transactions,
  "open-loop": openLoop,
  overload,
  failover,
  memory,
  records,
  live,
  access,
  cluster,
  restart,
  "catch-up": catchUp,
  snapshots,
  projections
}
const diskFloorMs = 300
const known: Readonly<Record<string, System>> = {
  node: onNode(),
  bun: lithair({ name: "Bun", runtime: "bun", root: checkout }),
  deno: lithair({ name: "Deno", runtime: "deno", root: checkout }),
  etcd,
  bare
}

/** Takes the flags of README.md. A line that fails says so, and the others go on. */
export const runLines = async (args: ReadonlyArray<string>): Promise<void> => {
  const options = readOptions(args, { lines: Object.keys(lines), systems: Object.keys(known) })
  const version = options.systems.includes("etcd") ? etcdVersion() : undefined
  if (options.systems.includes("etcd")) {
    console.log(version === undefined ? "etcd is not on the PATH: it is left out." : `Beside etcd ${version}.`)
  }
  const systems = options.systems.flatMap((name) => {
    const system = known[name]
    return system === undefined || (system === etcd && version === undefined) ? [] : [system]
  })
  if (options.base !== undefined) {
    systems.push(lithair({ name: "base", runtime: "node", root: resolve(options.base) }))
  }
  console.log(`4 KiB written and synced, one after the other: ${rate(measureDiskFloor(diskFloorMs))} a second.`)

  const { out } = options
  if (out !== undefined) mkdirSync(out, { recursive: true })
  for (const name of options.lines) {
    const line = lines[name]
    if (line === undefined) continue
    await orTell(name, async () => {
      const samples = await line.run({ name, systems, options })
      if (samples.length === 0) throw new Error("nothing was measured")
      const text = report(line.title, samples)
      console.log(`\n${text}`)
      if (out === undefined) return
      writeFileSync(join(out, `${name}.json`), JSON.stringify(samples))
      writeFileSync(join(out, `${name}.md`), `${text}\n`)
      for (const chart of charts(samples)) writeFileSync(join(out, `${chart.name}.svg`), chart.svg)
    })
  }
}
