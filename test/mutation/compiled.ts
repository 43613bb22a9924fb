/**
 * All modules of the sources and the tests, compiled to what test/MutantModules.ts runs: once for all faults. The directory
 * is that of `LITHAIR_COMPILED`.
 */
import { globSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { build, type TransformOptions, transform } from "esbuild"
import type { TestProject } from "vitest/node"
import { root } from "../MutantModules.ts"

/** Imports become calls, which the loader of a fault answers. */
const format = {
  format: "cjs",
  platform: "node",
  target: "esnext",
  define: { "import.meta.url": "moduleUrl" },
  supported: { "dynamic-import": false },
  logLevel: "error"
} satisfies TransformOptions

/**
 * What a module exports is one object with a getter for each name. esbuild wraps it in others, for the sake of modules of
 * other kinds: each would cost a call for each use.
 */
const unwrapped = (text: string): string =>
  text
    .replaceAll(/__toESM\((require\("[^"]+"\))(?:, 1)?\)/g, "$1")
    .replace(/^module\.exports = __toCommonJS\((\w+)\);$/m, "module.exports = $1;")

/** One module, compiled. */
export const compiledText = async (text: string): Promise<string> =>
  unwrapped((await transform(text, { ...format, loader: "ts" })).code)

/** They start programs, or are some, and wait at their top for what they load: no fault is looked for in them. */
const exclude = ["examples/{compose,starter,ticketing}/**", "test/{mutation,package,processes}/**", "test/mutant*.ts"]

/** Compiles all modules into the directory of the project, until its tests are over. */
export default async function setup({ config }: TestProject): Promise<() => void> {
  const outdir = String(config.env.LITHAIR_COMPILED)
  const entryPoints = globSync("{src,test,examples}/**/*.ts", { cwd: root, exclude })
  const { outputFiles } = await build({
    ...format,
    absWorkingDir: root,
    entryPoints,
    outdir,
    outbase: ".",
    write: false
  })
  for (const { path, text } of outputFiles) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, unwrapped(text))
  }
  return () => rmSync(outdir, { recursive: true, force: true })
}
