/**
 * One bundle of the programs that the tests start on Node, and one cache of it compiled. Without it each of some two
 * hundred processes loads six hundred files and strips their types, which takes four fifths of a start. Where the subject
 * is a user's program (three in composition.test.ts) it runs from its files, as do all programs on Bun and Deno.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { build } from "esbuild"
import type { TestProject } from "vitest/node"
import { bundleIn, root } from "./Bundle.ts"

const programs = [
  "examples/backup.ts",
  "examples/bank.ts",
  "examples/cluster.ts",
  "examples/compose/admin.ts",
  "examples/compose/anywhere.ts",
  "examples/compose/follow.ts",
  "examples/compose/hello.ts",
  "examples/compose/own.ts",
  "examples/compose/together.ts",
  "examples/compose/worker.ts",
  "examples/relay.ts",
  "examples/shop.ts",
  "examples/sql.ts",
  "src/cli.ts",
  "test/processes/plainNode.ts",
  "test/processes/releaseNode.ts",
  "test/processes/routedNode.ts",
  "test/processes/salesNode.ts",
  "test/processes/sqlNode.ts",
  "test/processes/ticketingNode.ts"
]

/** What ECMAScript modules need for packages that call `require`, as esbuild's users write it. */
const banner =
  "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);"

export default async function setup({ config }: TestProject): Promise<() => void> {
  const directory = String(config.env.LITHAIR_BUNDLES)
  const cache = String(config.env.NODE_COMPILE_CACHE)
  // Two projects share them.
  if (existsSync(directory)) return () => {}
  const entryPoints = programs.map((program) => join(root, program))
  mkdirSync(directory, { recursive: true })
  await build({
    entryPoints,
    outdir: directory,
    outbase: root,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    banner: { js: banner },
    logLevel: "warning"
  })
  // A program that ends by itself leaves its compiled code in the cache; one that is killed leaves nothing.
  const [bundle = ""] = entryPoints.map((script) => bundleIn(directory, script))
  const { status, stderr } = spawnSync(process.execPath, [bundle, "--help"], {
    env: { ...process.env, NODE_COMPILE_CACHE: cache },
    encoding: "utf8"
  })
  if (status !== 0) throw new Error(`${bundle} --help ended with ${status}: ${stderr}`)
  return () => rmSync(dirname(directory), { recursive: true, force: true })
}
