/**
 * Compares Lithair on its runtimes, another checkout of it, etcd and a bare HTTP server, alternating within one run.
 * README.md says how, and what the flags are.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { bare } from "./Bare.ts"
import { charts } from "./Charts.ts"
import { measureDiskFloor } from "./DiskFloor.ts"
import { etcd, etcdVersion } from "./Etcd.ts"
import { checkout, lithair, onNode } from "./Lithair.ts"
import { catchUp } from "./lines/catchUp.ts"
import { projections, reads, transactions, writes } from "./lines/closed.ts"
import { failover } from "./lines/failover.ts"
import type { Line } from "./lines/Line.ts"
import { memory } from "./lines/memory.ts"
import { openLoop } from "./lines/openLoop.ts"
import { overload } from "./lines/overload.ts"
import { records } from "./lines/records.ts"
import { readOptions } from "./Options.ts"
import { conditions, tables } from "./Report.ts"
import type { Sample } from "./Sample.ts"
import { rate } from "./Statistics.ts"
import type { System } from "./Systems.ts"
import { targets, verdicts } from "./Targets.ts"

const lines: Readonly<Record<string, Line>> = {
  writes,
  reads,
  transactions,
  "open-loop": openLoop,
  overload,
  failover,
  memory,
  records,
  "catch-up": catchUp,
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

const options = readOptions(process.argv.slice(2), { lines: Object.keys(lines), systems: Object.keys(known) })
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

const samples: Array<Sample> = []
for (const name of options.lines) {
  const line = lines[name]
  if (line === undefined) continue
  const measured = await line.run({ name, systems, options })
  console.log(`\n## ${line.title}\n\n${conditions(measured)}\n\n${tables(measured)}`)
  samples.push(...measured)
}
const judged = verdicts(samples, targets)
if (judged !== undefined) console.log(`\n## Targets\n\n${judged}`)
if (options.out !== undefined) {
  mkdirSync(options.out, { recursive: true })
  const write = (name: string, text: string) => writeFileSync(join(options.out ?? "", name), text)
  write(`${options.lines.join("-")}.json`, JSON.stringify(samples))
  for (const { name, svg } of charts(samples)) write(`${name}.svg`, svg)
}
