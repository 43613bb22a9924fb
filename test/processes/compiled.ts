/**
 * One cache of compiled sources for all nodes that the tests start. Without it each of some two hundred nodes strips the
 * types of the same files again, which is half of the work of a start.
 */
import { spawnSync } from "node:child_process"
import { rmSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { TestProject } from "vitest/node"

/** Fills the cache by a program that loads what a node loads, and ends: a killed process leaves nothing there. */
export default function setup({ config }: TestProject): () => void {
  const directory = String(config.env.NODE_COMPILE_CACHE)
  const script = fileURLToPath(new URL("../../examples/cluster.ts", import.meta.url))
  const { status, stderr } = spawnSync(process.execPath, [script, "--help"], {
    env: { ...process.env, NODE_COMPILE_CACHE: directory },
    encoding: "utf8"
  })
  if (status !== 0) throw new Error(`${script} --help ended with ${status}: ${stderr}`)
  return () => rmSync(directory, { recursive: true, force: true })
}
