/**
 * Compares Lithair on its runtimes, another checkout of it, etcd and a bare HTTP server, alternating within one run.
 * README.md says how, and what the flags are.
 */

import { resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { bare } from "./Bare.ts"
import { etcd, etcdVersion } from "./Etcd.ts"
import { lines } from "./Lines.ts"
import { lithair } from "./Lithair.ts"
import { readOptions } from "./Options.ts"
import type { System } from "./Systems.ts"

const root = fileURLToPath(new URL("..", import.meta.url))
const known: Readonly<Record<string, System>> = {
  node: lithair({ name: "Node", runtime: "node", root }),
  bun: lithair({ name: "Bun", runtime: "bun", root }),
  deno: lithair({ name: "Deno", runtime: "deno", root }),
  etcd,
  bare
}

const options = readOptions(process.argv.slice(2), { lines: Object.keys(lines), systems: Object.keys(known) })
const version = etcdVersion()
if (options.systems.includes("etcd")) {
  console.log(version === undefined ? "etcd is not on the PATH: it is left out." : `etcd ${version}`)
}
const systems = options.systems.flatMap((name) => {
  const system = known[name]
  return system === undefined || (system === etcd && version === undefined) ? [] : [system]
})
if (options.base !== undefined) {
  systems.push(lithair({ name: "base", runtime: "node", root: resolve(options.base) }))
}
for (const line of options.lines) await lines[line]?.({ systems, options })
